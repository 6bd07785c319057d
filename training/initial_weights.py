"""Initial weights from the checkpoint of another training."""

from hwm_core.errors import BadConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.train.training_data import TrainingData
from hwm_core.world_model.checkpoint import Checkpoint


def load_initial_weights(model: WorldModelNetwork, checkpoint: Checkpoint, data: TrainingData, where: str) -> None:
    """Copy the checkpoint's weights into `model`; settings without weights, such as dropout rates, may differ.

    Raises BadConfig where the checkpoint has other sizes, joints or codes.
    """
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
    weights = checkpoint.model.state_dict()
    wanted = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    given = {name: tuple(weight.shape) for name, weight in weights.items()}
    if wanted != given:
        name = min(name for name, _ in wanted.items() ^ given.items())
        raise BadConfig(
            where,
            expected=f"weights of the model's sizes; {name} {wanted.get(name, 'absent')}",
            got=str(given.get(name, "absent")),
            remedy="Set the sizes in `model` to the checkpoint's sizes.",
        )
    model.load_state_dict(weights)
