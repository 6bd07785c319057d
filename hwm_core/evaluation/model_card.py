"""A model card: the description of a checkpoint, its evaluation data, its numbers, and their limits.

Every line comes from the checkpoint or from the result. Other information is left out, or listed as missing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import yaml

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation, computed_on
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.json_report import sensitivity_json
from hwm_core.evaluation.table import Table, gain
from hwm_core.evaluation.tables import all_tables
from hwm_core.metrics.bootstrap import MIN_EPISODES, Interval
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer

_TOKENIZER_SECTIONS = ("tokenizer", "train_tokenizer")
_UNCHANGED_DB = 50.0  # frames whose PSNR is above this differ by less than one grey level


class TrainedModel(Protocol):
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
    """The card of an evaluated checkpoint, Markdown."""
    tables = all_tables(evaluated.result, evaluated.evaluation.config)
    return card(
        evaluated.world_model, tables, data=_data(evaluated), protocol=_protocol(evaluated), limits=_limits(evaluated)
    )


def card(
    model: TrainedModel, tables: Iterable[Table], *, data: Iterable[str], protocol: Iterable[str], limits: Iterable[str]
) -> str:
    """Markdown: the checkpoint and its numbers.

    Args:
        data, protocol, limits: sentences about the evaluation data, the method, and the limits of the numbers.
    """
    sections = {
        "Model": _list(_model(model)),
        "Training": _training(model.metadata),
        "Evaluation data": _list(data),
        "Protocol": _list(protocol),
        "Numbers": "\n".join(table.markdown() for table in tables),
        "Limits": _list(limits),
    }
    parts = (f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# {model.name}\n\n" + "\n".join(parts)


def is_above_zero(interval: Interval) -> bool:
    """Whether a gain is above zero; if the gain has an interval, whether the whole interval is."""
    return (interval.mean if interval.low is None else interval.low) > 0


def _list(lines: Iterable[str]) -> str:
    return "".join(f"* {line}\n" for line in lines)


def _model(one: TrainedModel) -> Iterator[str]:
    config, manifest, camera = one.model.config, one.manifest, one.preprocessing
    parts = [one.model] if one.tokenizer is None else [one.model, one.tokenizer]
    count = sum(p.numel() for part in parts for p in part.parameters())
    tokenizer = "without a tokenizer" if one.tokenizer is None else "with its tokenizer"
    yield f"Family {one.family}, variant {config.variant}: {count:,} parameters {tokenizer}."
    yield f"sha256 {one.sha256}" if one.sha256 else "Not loaded from a file: no sha256."
    yield (
        f"Context of {config.past_frames} frames, prediction of {config.future_frames} at {camera.frame_rate_hz:g} Hz, "
        f"{camera.width} x {camera.height} px (crop {camera.crop})."
    )
    names = ", ".join(manifest.names)
    yield f"Robot {manifest.robot}. Actions: {manifest.kind} of {manifest.dim} joints: {names}."
    if any(camera.margins):
        yield f"The camera image is cropped by {list(camera.margins)} at the top, bottom, left and right."
    if one.tokenizer is None:
        yield "The tokenizer is not available: the model predicts codes, which cannot be decoded to frames."
    else:
        yield f"Tokenizer {one.tokenizer.kind}: {one.tokenizer.config.plain()}."


def _training(metadata: Mapping[str, Any]) -> str:
    if not metadata:
        return "Not recorded in the checkpoint.\n"
    # The preset's sections about a tokenizer: the model may have been trained over another one, which `_model` reports.
    recipe = {key: value for key, value in metadata.get("recipe", {}).items() if key not in _TOKENIZER_SECTIONS}
    known = {**metadata, "recipe": recipe} if recipe else dict(metadata)
    recorded = yaml.safe_dump(known, sort_keys=False, width=100)
    return f"As recorded in the checkpoint:\n\n```yaml\n{recorded}```\n"


def _data(evaluated: CheckpointEvaluation) -> Iterator[str]:
    result = evaluated.result
    yield f"{evaluated.source[0].upper()}{evaluated.source[1:]}."
    yield f"{len(result)} windows of {result.num_episodes} episodes: {', '.join(result.windows.episode_names)}."


def _protocol(evaluated: CheckpointEvaluation) -> Iterator[str]:
    config = evaluated.evaluation.config
    yield f"`{evaluated.protocol}`: horizons {list(config.horizons)}, windows every {config.stride} frames."
    yield {
        "camera": "The truth is the camera's frames, preprocessed.",
        "tokenizer": "The truth is the camera's frames, reconstructed by the model's tokenizer.",
    }[config.truth]
    computed = computed_on(evaluated.world_model)
    yield f"Predictions: {config.sampling}; seed {config.seed}; {computed['dtype']} on {computed['device']}."
    if config.samples is not None:
        yield f"Single samples and means of {config.samples}: {config.sampling_of_samples}."
    for metric, network in evaluated.evaluation.networks.items():
        yield f"{metric} by the network `{network}`."
    yield f"Intervals: 95 %, paired bootstrap over episodes, for {MIN_EPISODES} episodes or more."


def _limits(evaluated: CheckpointEvaluation) -> Iterator[str]:
    world, result = evaluated.world_model, evaluated.result
    yield f"Evaluated on {result.num_episodes} episodes of {world.manifest.robot}: no other robot, camera or scene."
    if result.num_episodes < MIN_EPISODES:
        yield f"Fewer than {MIN_EPISODES} episodes: no intervals. The differences hold for these episodes only."
    for over in ("copy_last", "shuffled", "none"):
        for horizon in result.horizons if over in result.conditions else ():
            interval = result.gain("model", over, horizon)
            if not is_above_zero(interval):
                yield f"Not shown to be above {title(over)} at {horizon} frames ahead: {gain(interval)} dB."
    if "tokenizer" in result.conditions:
        ceiling = ", ".join(f"{result.psnr('tokenizer', h):.2f} dB at {h}" for h in result.horizons)
        yield f"The tokenizer alone, a ceiling for the model, reaches {ceiling} frames ahead."
    if beyond := [h for h in result.horizons if h > world.future_frames]:
        yield f"At {beyond} frames ahead, the model continues from its own predictions."
    if "none" in result.conditions and world.model.config.action_dropout == 0:
        yield f"The condition `{title('none')}` has no meaning: the model was trained with action_dropout 0."
    yield from _unused_joints(evaluated)
    yield from (f"{missing}" for missing in evaluated.unavailable)
    yield "PSNR rewards a blurred mean of the possible futures: also compare the images."


def _unused_joints(evaluated: CheckpointEvaluation) -> Iterator[str]:
    manifest, response = evaluated.world_model.manifest, sensitivity_json(evaluated.result)
    if constant := [name for name, is_so in zip(manifest.names, manifest.constant) if is_so]:
        yield f"Constant in the training data, so the model ignores them: {', '.join(constant)}."
    if response is None:
        return
    between = {name: joint["psnr_db_between"] for name, joint in response["joints"].items() if joint["windows"]}
    if unused := [name for name, psnr in between.items() if psnr > _UNCHANGED_DB and name not in constant]:
        yield (
            f"These joints hardly change the prediction when perturbed by their standard deviation (PSNR above "
            f"{_UNCHANGED_DB:g} dB between the two, {response['windows']} windows): {', '.join(unused)}."
        )
