"""Scores of the compression track.

Every sample is predicted under these conditions:
    model           from past grids and all actions: the prediction that is submitted
    shuffled        the same with shuffled actions: the motion of another take, from the sample's own state
    none            the same with dropped actions
    teacher_forced  each grid attends to the true grids before it: a bound, not a prediction
    teacher_forced_no_actions
                    the same with dropped actions, past actions included. 1X ranked v1.1 without future actions
Two baselines need no model. `uniform` is log(vocabulary). `copy_last` gives the code of the newest past grid one
probability p and spreads 1 - p evenly over the other codes, so its Top-500 CE equals its CE. p is the best value in
hindsight.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.challenge.compressor import Compressor, TopCodes
from hwm_core.challenge.grid_samples import GridSample
from hwm_core.challenge.report import no_donors
from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.tokens import NOTHING, TOP, TopCrossEntropy, top_cross_entropy

Condition = Literal["model", "shuffled", "none", "teacher_forced", "teacher_forced_no_actions"]
CONDITIONS: tuple[Condition, ...] = ("model", "shuffled", "none", "teacher_forced", "teacher_forced_no_actions")


@dataclass(frozen=True)
class SampleScore:
    """The score of one sample under one condition: sums over its tokens."""

    tokens: int
    hits: int
    right: int
    nats: float
    nats_of_hits: float
    nats_of_all: float  # the cross-entropy of the whole distribution

    @classmethod
    def of(cls, predicted: TopCodes, index: int, truth: NDArray[np.int64], vocabulary: int) -> "SampleScore":
        """Score sample `index` of a batch against its true tokens [T, H, W]."""
        assert predicted.of_truth is not None
        top = top_cross_entropy(predicted.codes[index], predicted.log_probs[index], torch.from_numpy(truth), vocabulary)
        return cls(**asdict(top), nats_of_all=-float(predicted.of_truth[index].double().sum()))

    @property
    def top(self) -> TopCrossEntropy:
        """The numbers of the k likeliest codes."""
        return TopCrossEntropy(self.tokens, self.hits, self.right, self.nats, self.nats_of_hits)

    @property
    def ce(self) -> float:
        """Cross-entropy of the whole distribution, nats per token."""
        return self.nats_of_all / self.tokens

    def plain(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def compression_report(
    compressor: Compressor,
    samples: Sequence[GridSample],
    scores: Sequence[Mapping[str, SampleScore]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The JSON-able report.

    Args:
        scores: for each sample {condition: score}.
        settings: the settings of the run.
    """
    takes = np.array([sample.take for sample in samples])
    by_condition = {name: [score[name] for score in scores] for name in CONDITIONS if name in scores[0]}
    top_ce = {name: np.array([score.top.ce for score in parts]) for name, parts in by_condition.items()}
    past, truth = (np.stack(parts) for parts in zip(*((one.past, one.truth) for one in samples), strict=True))
    copied, stays = _copy_last(past, truth, compressor.vocabulary)
    over = {name: top_ce[name] for name in ("shuffled", "none") if name in by_condition} | {"copy_last": copied}
    origin = {"samples": len(samples), "takes": len(np.unique(takes)), "seed": compressor.seed}
    top_key = "top_500_ce" if compressor.top == TOP else f"top_{compressor.top}_ce"
    return {
        "protocol": "1X compression",
        "checkpoint": {"name": compressor.checkpoint.name, "sha256": compressor.checkpoint.sha256},
        "settings": dict(settings),
        **origin,
        "tokens": int(truth.size),
        "conditions": {name: {**_numbers(parts, top_key), **origin} for name, parts in by_condition.items()},
        "baselines": {
            "uniform": math.log(compressor.vocabulary),
            "copy_last": float(copied.mean()),
            "copy_last_accuracy": stays,
        },
        "gain_over": {
            name: vars(paired_bootstrap(nats - top_ce["model"], takes, compressor.seed)) for name, nats in over.items()
        },
        "unavailable": {} if "shuffled" in by_condition else {"shuffled": no_donors().plain()},
    }


def _numbers(scores: Sequence[SampleScore], top_key: str) -> dict[str, float | None]:
    total = sum((score.top for score in scores), NOTHING)
    return {
        top_key: total.ce,
        "ce": float(np.array([score.ce for score in scores]).mean()),
        "hit_rate": total.hit_rate,
        "ce_of_hits": None if math.isnan(total.ce_of_hits) else total.ce_of_hits,
        "accuracy": total.accuracy,
    }


def _copy_last(past: NDArray[np.int64], truth: NDArray[np.int64], vocabulary: int) -> tuple[NDArray[np.float64], float]:
    """Nats per token [samples] of the baseline `copy_last`, and the share of tokens that keep their code.

    That share is the best probability for all samples together.
    """
    stay = (past[:, -1:] == truth).mean(axis=(1, 2, 3))
    share = float(stay.mean())  # all samples have the same number of tokens
    nats = np.zeros(len(stay))
    for fraction, probability in ((stay, share), (1 - stay, (1 - share) / (vocabulary - 1))):
        if probability > 0:  # at 0 no sample has such a token
            nats -= fraction * math.log(probability)
    return nats, share
