"""A model card: what a checkpoint is, what it was judged on, its numbers, and what they do not say.

Every line comes from the checkpoint or from the result; what neither says is left out, or named as missing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import yaml

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.comparison import CheckpointEvaluation
from hwm_core.evaluation.report import every_table, sensitivity_table, title
from hwm_core.evaluation.table import Table, gain
from hwm_core.metrics.bootstrap import FEWEST, Interval
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer

_DEAF_DB = 50.0  # pictures this near to each other differ by less than a grey level


class Described(Protocol):
    """A Checkpoint, or a WorldModel."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def model(self) -> WorldModelNetwork: ...
    @property
    def tokenizer(self) -> VideoTokenizer | None: ...
    @property
    def manifest(self) -> ActionManifest: ...
    @property
    def preprocessing(self) -> Preprocessing: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def sha256(self) -> str: ...


def model_card(evaluated: CheckpointEvaluation) -> str:
    """Markdown."""
    tables = every_table(evaluated.result, evaluated.evaluation.config)
    return card(
        evaluated.world_model, tables, data=_data(evaluated), protocol=_protocol(evaluated), limits=_limits(evaluated)
    )


def card(
    model: Described, tables: Iterable[Table], *, data: Iterable[str], protocol: Iterable[str], limits: Iterable[str]
) -> str:
    """Markdown: the checkpoint, and sentences of what it was judged on, how, and what the numbers do not say."""
    sections = {
        "Model": _list(_model(model)),
        "How it was made": _made(model.metadata),
        "Data it was judged on": _list(data),
        "Protocol": _list(protocol),
        "Numbers": "\n".join(table.markdown() for table in tables),
        "Limits": _list(limits),
    }
    parts = (f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# {model.name}\n\n" + "\n".join(parts)


def is_shown(interval: Interval) -> bool:
    """Whether a gain is above zero, with its interval where there is one."""
    return (interval.mean if interval.low is None else interval.low) > 0


def _list(lines: Iterable[str]) -> str:
    return "".join(f"* {line}\n" for line in lines)


def _model(one: Described) -> Iterator[str]:
    config, manifest, camera = one.model.config, one.manifest, one.preprocessing
    parts = [one.model] if one.tokenizer is None else [one.model, one.tokenizer]
    count = sum(p.numel() for part in parts for p in part.parameters())
    tokenizer = "without a tokenizer" if one.tokenizer is None else "with its tokenizer"
    yield f"Family {one.family}, variant {config.variant}: {count:,} parameters {tokenizer}."
    yield f"sha256 {one.sha256}" if one.sha256 else "Not loaded from a file: no sha256."
    yield (
        f"Sees {config.past_frames} frames and predicts {config.future_frames} at {camera.frame_rate_hz:g} Hz, "
        f"{camera.width} x {camera.height} px (crop {camera.crop})."
    )
    yield f"Robot {manifest.robot}; its {manifest.kind} are the actions, {manifest.dim}: {', '.join(manifest.names)}."
    if any(camera.cut):
        yield f"Of the camera's picture {list(camera.cut)} is cut off at the top, bottom, left and right."
    if one.tokenizer is None:
        yield "Its tokenizer is not at hand: it predicts codes, and nothing paints them."
    else:
        yield f"Tokenizer {one.tokenizer.kind}: {one.tokenizer.config.plain()}."


def _made(metadata: Mapping[str, Any]) -> str:
    if not metadata:
        return "The checkpoint does not say.\n"
    return f"As the checkpoint says:\n\n```yaml\n{yaml.safe_dump(dict(metadata), sort_keys=False, width=100)}```\n"


def _data(evaluated: CheckpointEvaluation) -> Iterator[str]:
    result = evaluated.result
    yield f"{evaluated.source[0].upper()}{evaluated.source[1:]}."
    yield f"{len(result)} windows of {result.num_episodes} episodes: {', '.join(result.episode_names)}."


def _protocol(evaluated: CheckpointEvaluation) -> Iterator[str]:
    config = evaluated.evaluation.config
    yield f"`{evaluated.protocol}`: horizons {list(config.horizons)}, windows every {config.stride} frames."
    yield {
        "camera": "The truth is the camera's frames, preprocessed.",
        "tokenizer": "The truth is the camera's frames through the model's own tokenizer.",
    }[config.truth]
    yield f"Futures: {config.sampling}; seed {config.seed}."
    if config.samples is not None:
        yield f"Single samples and means of {config.samples}: {config.drawing or config.sampling}."
    for metric, network in evaluated.evaluation.networks.items():
        yield f"{metric} by the network `{network}`."
    yield f"Intervals are of 95 %: a paired bootstrap over episodes, where there are {FEWEST} or more."


def _limits(evaluated: CheckpointEvaluation) -> Iterator[str]:
    world, result = evaluated.world_model, evaluated.result
    robot = world.manifest.robot
    yield f"Evaluated on {result.num_episodes} episodes of {robot} and on no other robot, camera or scene."
    if result.num_episodes < FEWEST:
        yield f"Fewer than {FEWEST} episodes: there are no intervals, and no difference is shown beyond these runs."
    for over in ("copy_last", "shuffled", "none"):
        for horizon in result.horizons if over in result.rows else ():
            interval = result.gain("model", over, horizon)
            if not is_shown(interval):
                yield f"Not shown to be above {title(over)} at {horizon} frames ahead: {gain(interval)} dB."
    if "tokenizer" in result.rows:
        ceiling = ", ".join(f"{result.psnr('tokenizer', h):.2f} dB at {h}" for h in result.horizons)
        yield f"Its tokenizer alone reaches {ceiling} frames ahead."
    if beyond := [h for h in result.horizons if h > world.future_frames]:
        yield f"At {beyond} frames ahead it was rolled on from its own predictions."
    if "none" in result.rows and world.model.config.action_dropout == 0:
        yield f"The row `{title('none')}` says nothing: it was trained with action_dropout 0."
    if constant := [name for name, is_so in zip(world.manifest.names, world.manifest.constant) if is_so]:
        yield f"Constant in its training data, so that it cannot hear them: {', '.join(constant)}."
    probed = sensitivity_table(result)
    if probed is not None:
        between = {name: joint["psnr_db_between"] for name, joint in probed["joints"].items() if joint["windows"]}
        if deaf := [name for name, psnr in between.items() if psnr > _DEAF_DB and name not in constant]:
            yield (
                f"Moved by their standard deviation these joints leave the pictures within {_DEAF_DB:g} dB: "
                f"{', '.join(deaf)} ({probed['windows']} windows)."
            )
    for missing in evaluated.missing:
        yield f"{missing}"
    yield "PSNR rewards a blurred mean of the possible futures: look at the pictures."
