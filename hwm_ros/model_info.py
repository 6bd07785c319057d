"""The ModelInfo message of a loaded checkpoint."""

from hwm_core.planning.joint_space import JointSpace
from hwm_core.world_model.model import WorldModel
from hwm_ros.msg import ModelInfo


def model_info(model: WorldModel, dtype: str, space: JointSpace) -> ModelInfo:
    """Describe the checkpoint.

    Args:
        model: the loaded checkpoint.
        dtype: precision that the model computes in.
        space: limits of the joints that plans keep.
    """
    manifest, preprocessing = model.manifest, model.preprocessing
    return ModelInfo(
        name=model.name,
        sha256=model.sha256,
        family=model.family,
        tokenizer=model.tokenizer.kind,
        num_parameters=model.num_parameters,
        device=str(model.device),
        dtype=dtype,
        robot=manifest.robot,
        action_kind=ModelInfo.COMMANDS if manifest.kind == "commands" else ModelInfo.STATES,
        joint_names=list(manifest.names),
        aliases=list(manifest.aliases),
        alias_joints=list(manifest.aliases.values()),
        units=list(manifest.units),
        lower=list(manifest.lower),
        upper=list(manifest.upper),
        max_velocity=space.max_velocity.tolist(),
        max_acceleration=space.max_acceleration.tolist(),
        scale=list(manifest.scale),
        frame_rate_hz=model.frame_rate_hz,
        past_frames=model.past_frames,
        future_frames=model.future_frames,
        height=preprocessing.height,
        width=preprocessing.width,
        source_aspect=preprocessing.source_aspect,
    )
