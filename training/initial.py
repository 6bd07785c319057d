"""The weights that a training begins with, where they are another training's."""

from hwm_core.errors import BadConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.train.training_data import TrainingData
from hwm_core.world_model.checkpoint import Checkpoint


def begin_with(model: WorldModelNetwork, checkpoint: Checkpoint, material: TrainingData, where: str) -> None:
    """Give `model` the weights of `checkpoint`. What is no weight, as rates of dropout, may differ.

    Raises BadConfig where it is of other sizes, joints or codes.
    """
    if checkpoint.tokenizer_spec is not None:
        material.codes.require(
            checkpoint.tokenizer_spec, where, "Train on the codes that the checkpoint was trained on."
        )
    if checkpoint.manifest.names != material.manifest.names:
        raise BadConfig(
            where,
            expected=f"the joints {', '.join(material.manifest.names)}",
            got=", ".join(checkpoint.manifest.names),
            remedy="Begin with a checkpoint of this robot, or without.",
        )
    weights = checkpoint.model.state_dict()
    mine = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    its = {name: tuple(weight.shape) for name, weight in weights.items()}
    if mine != its:
        name = min(name for name, _ in mine.items() ^ its.items())
        raise BadConfig(
            where,
            expected=f"weights of these sizes; {name} {mine.get(name, 'not at all')}",
            got=str(its.get(name, "none")),
            remedy="Set the sizes in `model` to those of the checkpoint.",
        )
    model.load_state_dict(weights)
