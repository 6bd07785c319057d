"""Initial weights from the checkpoint of another training."""

from pathlib import Path

from torch import nn

from hwm_core.errors import BadConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.train.training_data import TrainingData
from hwm_core.world_model.checkpoint import Checkpoint, load_tokenizer


def load_initial_weights(model: WorldModelNetwork, checkpoint: Checkpoint, data: TrainingData, where: str) -> None:
    """Copy the checkpoint's weights into `model`; settings without weights, such as dropout rates, may differ.

    Raises BadConfig where the checkpoint has other sizes, joints or codes, or adapts another pretrained network.
    """
    _require_same_base(model, checkpoint.model, where)
    if checkpoint.tokenizer_spec is not None:
        remedy = "Train on the codes that the checkpoint was trained on."
        data.tokenizer_spec.require(checkpoint.tokenizer_spec, where, remedy)
    if checkpoint.manifest.names != data.manifest.names:
        raise BadConfig(
            where,
            expected=f"the joints {', '.join(data.manifest.names)}",
            got=", ".join(checkpoint.manifest.names),
            remedy="Use a checkpoint of this robot, or leave out --init.",
        )
    _copy_weights(model, checkpoint.model, where, "`model`")


def _require_same_base(model: WorldModelNetwork, other: WorldModelNetwork, where: str) -> None:
    """Raises BadConfig where both adapt a pretrained network, but not the same one."""
    mine, given = (getattr(one.config, "base_sha256", {}) for one in (model, other))
    if not mine or not given:
        return
    for name in sorted(mine.keys() | given.keys()):
        if mine.get(name) != given.get(name):
            raise BadConfig(
                f"{where}: {name}",
                expected=f"weights that adapt the base of this run, sha256 {mine.get(name, 'absent')}",
                got=f"sha256 {given.get(name, 'absent')}",
                remedy="Give the base of that checkpoint as --base, or leave out --init.",
            )


def load_initial_tokenizer(tokenizer: VideoTokenizer, init: str | Path) -> None:
    """Copy the weights of another tokenizer, given by folder or name. Raises BadConfig where it has other sizes."""
    other = load_tokenizer(init)
    if other.kind != tokenizer.kind:
        raise BadConfig(
            f"--init {init}",
            expected=f"a tokenizer of the kind `{tokenizer.kind}`",
            got=f"`{other.kind}`",
            remedy="Start with a tokenizer of the same kind, or without --init.",
        )
    _copy_weights(tokenizer, other, f"--init {init}", "`tokenizer`")


def _copy_weights(module: nn.Module, source: nn.Module, where: str, section: str) -> None:
    """Copy parameters and buffers. Raises BadConfig where the sizes differ."""
    weights = source.state_dict()
    wanted = {name: tuple(weight.shape) for name, weight in module.state_dict().items()}
    given = {name: tuple(weight.shape) for name, weight in weights.items()}
    if wanted != given:
        name = min(name for name, _ in wanted.items() ^ given.items())
        raise BadConfig(
            where,
            expected=f"weights of the model's sizes; {name} {wanted.get(name, 'absent')}",
            got=str(given.get(name, "absent")),
            remedy=f"Set the sizes in {section} to the checkpoint's sizes.",
        )
    module.load_state_dict(weights)
