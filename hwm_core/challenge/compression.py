"""The compression track: distributions over the tokens of the grids to come, judged by Top-500 cross-entropy.

Rows, each judged on the same samples:
    model           what is handed in: nothing but past grids and actions is heard
    none            the same with the action stream dropped
    teacher_forced  each grid given the true grids before it: a bound, not a prediction (v1.1 ranks by it)
Beside them: `uniform`, log(vocabulary), and `copy_last`, a distribution with one probability for "this token stays as
in the newest grid seen" and the rest evenly over all other codes. That probability is the best in hindsight, so that
no copying does better.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.challenge.grids import Sample, masked_config
from hwm_core.challenge.submission import Layout, validate_archive, write_archive, write_sample
from hwm_core.challenge.unfinished import Unfinished
from hwm_core.checkpoint import Checkpoint
from hwm_core.errors import BadConfig
from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.tokens import NOTHING, TOP, TopCrossEntropy, top_cross_entropy
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.maskgit import decode
from hwm_core.sampling.predictor import MaskedPredictor

ROWS = ("model", "none", "teacher_forced")
_CHUNK = 1024  # sites whose codes are ranked at once: 64,000 logits of each are 262 MB


@dataclass(frozen=True)
class TopCodes:
    """The k likeliest codes of each token to come, for B samples."""

    codes: Tensor  # int32 [B, T, H, W, k], the likeliest first
    log_probs: Tensor  # float32 [B, T, H, W, k]
    of_truth: Tensor | None  # float32 [B, T, H, W] log-probability of the codes that came


class Compressor:
    """A masked model that ranks codes.

    Args:
        sampling: how the future is decoded. `parallel` predicts all grids from the past alone; otherwise each hears the
            drawn tokens before it. A token's distribution is that of the step that reveals it.
        dtype: of the arithmetic; the winners' bfloat16 cost them accuracy (arXiv 2510.07092, section 3.2).

    Raises:
        BadCheckpoint: a model of another family.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        sampling: Sampling | None = None,
        seed: int = 0,
        top: int = TOP,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = masked_config(checkpoint.model)
        self.checkpoint, self.model, self.manifest = checkpoint, checkpoint.model, checkpoint.manifest
        self.sampling, self.seed, self.dtype = sampling or Sampling(), seed, dtype
        self.vocabulary = math.prod(self.config.levels)
        self.top = min(top, self.vocabulary)
        self.device = next(self.model.parameters()).device
        self._predictor = MaskedPredictor(self.model)

    @property
    def layout(self) -> Layout:
        """Of the archive that its predictions make."""
        return Layout(self.config.num_future_latents, *self.config.grid, self.vocabulary, self.top)

    @torch.inference_mode()
    def predict(self, samples: Sequence[Sample], row: str = "model") -> TopCodes:
        """Rank the codes to come; `of_truth` where every sample has its truth.

        Args:
            row: one of ROWS; `teacher_forced` needs the truth.
        """
        past = self.config.past_frames
        seen = self._codes([sample.seen for sample in samples])
        truths = [sample.truth for sample in samples if sample.truth is not None]
        truth = self.model.to_sites(self._codes(truths)) if len(truths) == len(samples) else None
        actions = self.manifest.normalise(torch.from_numpy(np.stack([sample.actions for sample in samples])))
        actions = actions.to(self.device)
        generator = torch.Generator(self.device).manual_seed(self.seed + samples[0].number)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            known = self._predictor.observe(seen, actions[:, :past])
            watch = _Watch(self, len(samples), truth)
            decode(
                self.model,
                self._predictor.decoder(known, None if row == "none" else actions[:, past:], len(samples)),
                len(samples),
                self.config.num_future_latents,
                self.sampling,
                lambda shape: torch.rand(shape, generator=generator, device=self.device),
                watch,
                truth if row == "teacher_forced" else None,
            )
        return watch.result()

    def _codes(self, grids: Sequence[NDArray[np.int64]]) -> Tensor:
        return torch.from_numpy(np.stack(grids)).to(self.device)


class _Watch:
    """Ranks the codes of each site when it is revealed."""

    def __init__(self, compressor: Compressor, batch: int, truth: Tensor | None) -> None:
        self._model, self._top, self._truth = compressor.model, compressor.top, truth
        config = compressor.config
        sites = (batch, config.num_future_latents, *config.sites, config.patch**2)
        self._found = torch.zeros(*sites, self._top, dtype=torch.int32)
        self._values = torch.zeros(*sites, self._top)
        self._of_truth = None if truth is None else torch.zeros(sites)

    def __call__(self, first: int, logits: Tensor, fresh: Tensor) -> None:
        here = slice(first, first + logits.shape[1])
        at = fresh.nonzero()
        for some in at.split(_CHUNK):
            index = some.unbind(-1)
            rows = logits[index]
            codes, values = self._model.vocabulary.likeliest(rows, self._top)
            kept = tuple(part.cpu() for part in index)
            self._found[:, here][kept] = codes.to("cpu", torch.int32)
            self._values[:, here][kept] = values.cpu()
            if self._truth is not None and self._of_truth is not None:
                of_truth = self._model.vocabulary.log_prob(rows, self._truth[:, here][index])
                self._of_truth[:, here][kept] = of_truth.cpu()

    def result(self) -> TopCodes:
        grid = self._model.to_grid
        of_truth = None if self._of_truth is None else grid(self._of_truth)
        return TopCodes(grid(self._found), grid(self._values), of_truth)


def compress(
    compressor: Compressor,
    samples: Sequence[Sample],
    out: str | Path,
    *,
    data: str,
    batch: int = 4,
    pattern: str = "{number}.npz",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any] | None:
    """Write the archive, whole or not at all, and judge the samples whose truth is known.

    Stopped and called again with the same arguments it goes on, to the same bytes.

    Args:
        data: what the samples are called in the report; a run begun on other data is not gone on with.
        pattern: of the members' names.

    Returns:
        The report, JSON-able; None where no truth is known.

    Raises:
        BadConfig: `out` exists, or was begun with other arguments.
    """
    settings = {
        "checkpoint": compressor.checkpoint.sha256,
        "sampling": compressor.sampling.plain(),
        "seed": compressor.seed,
        "dtype": str(compressor.dtype),
        "top": compressor.top,
        "batch": batch,
        "data": data,
        "samples": len(samples),
    }
    if "{number}" not in pattern:
        raise BadConfig("--name", expected="{number} in it", got=pattern, remedy="As in sample_{number}.npz.")
    work = Unfinished(out, settings)
    known = all(sample.truth is not None for sample in samples)
    for first in range(0, len(samples), batch):
        some = samples[first : first + batch]
        if not all(_is_done(work, sample) for sample in some):
            _do(compressor, some, work)
        progress(first + len(some), len(samples))
    scores = [work.read(f"{sample.number}.json") for sample in samples]
    write_archive(out, {sample.number: work.path(f"{sample.number}.npz") for sample in samples}, pattern)
    validate_archive(out, compressor.layout, [sample.number for sample in samples])
    work.remove()
    return _report(compressor, samples, scores, settings) if known else None


def _is_done(work: Unfinished, sample: Sample) -> bool:
    return work.path(f"{sample.number}.json").exists()  # written last


def _do(compressor: Compressor, samples: Sequence[Sample], work: Unfinished) -> None:
    known = all(sample.truth is not None for sample in samples)
    rows = {row: compressor.predict(samples, row) for row in (ROWS if known else ROWS[:1])}
    for place, sample in enumerate(samples):
        found = rows["model"]
        path = work.path(f"{sample.number}.npz")
        write_sample(path, found.codes[place].numpy(), found.log_probs[place].numpy(), compressor.layout)
        judged = {row: _judge(compressor, found, place, sample.truth) for row, found in rows.items()} if known else {}
        work.write(f"{sample.number}.json", judged)


def _judge(compressor: Compressor, found: TopCodes, place: int, truth: NDArray[np.int64] | None) -> dict[str, float]:
    assert truth is not None and found.of_truth is not None
    top = top_cross_entropy(found.codes[place], found.log_probs[place], torch.from_numpy(truth), compressor.vocabulary)
    return {**vars(top), "nats_of_all": -float(found.of_truth[place].double().sum())}


def _report(
    compressor: Compressor, samples: Sequence[Sample], scores: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    episodes = np.array([sample.episode for sample in samples])
    whole = {row: np.array([score[row]["nats_of_all"] / score[row]["tokens"] for score in scores]) for row in ROWS}
    tops = {row: [_top(score[row]) for score in scores] for row in ROWS}
    of_top = {row: np.array([one.ce for one in parts]) for row, parts in tops.items()}
    seen, truths = (np.stack(parts) for parts in zip(*((one.seen, one.truth) for one in samples), strict=True))
    return {
        "protocol": "1X compression",
        "checkpoint": {"name": compressor.checkpoint.name, "sha256": compressor.checkpoint.sha256},
        "settings": dict(settings),
        "samples": len(samples),
        "tokens": int(truths.size),
        "rows": {
            row: {
                "top_500_ce" if compressor.top == TOP else f"top_{compressor.top}_ce": sum(tops[row], NOTHING).ce,
                "ce": float(whole[row].mean()),
                "hit_rate": sum(tops[row], NOTHING).hit_rate,
                "ce_of_hits": _number(sum(tops[row], NOTHING).ce_of_hits),
                "accuracy": sum(tops[row], NOTHING).accuracy,
            }
            for row in ROWS
        },
        "baselines": {"uniform": math.log(compressor.vocabulary), **_copy_last(seen, truths, compressor.vocabulary)},
        "actions_are_worth": vars(paired_bootstrap(of_top["none"] - of_top["model"], episodes, compressor.seed)),
    }


def _top(score: Mapping[str, Any]) -> TopCrossEntropy:
    return TopCrossEntropy(**{key: value for key, value in score.items() if key != "nats_of_all"})


def _copy_last(seen: NDArray[np.int64], truths: NDArray[np.int64], vocabulary: int) -> dict[str, float]:
    stays = float((seen[:, -1:] == truths).mean())
    parts: Iterator[tuple[float, int]] = iter([(stays, 1), (1 - stays, vocabulary - 1)])
    return {
        "copy_last": -sum(share * math.log(share / codes) for share, codes in parts if share > 0),
        "copy_last_accuracy": stays,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
