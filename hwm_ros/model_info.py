"""The ModelInfo message of a loaded checkpoint."""

from collections.abc import Callable

import numpy as np
from rclpy.node import Node

from hwm_core.errors import BadConfig
from hwm_core.planning.joint_space import JointSpace
from hwm_core.precision import precision_name
from hwm_core.world_model.model import WorldModel
from hwm_ros.msg import ModelInfo


def model_info(model: WorldModel, space: JointSpace) -> ModelInfo:
    """Describe the checkpoint.

    Args:
        model: the loaded checkpoint.
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
        dtype=precision_name(model.dtype),
        robot=manifest.robot,
        action_kind=ModelInfo.COMMANDS if manifest.kind == "commands" else ModelInfo.STATES,
        joint_names=list(manifest.names),
        aliases=list(manifest.aliases),
        alias_joints=list(manifest.aliases.values()),
        units=list(manifest.units),
        lower=space.lower.tolist(),
        upper=space.upper.tolist(),
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


def if_consistent(node: Node, callback: Callable[[ModelInfo], None]) -> Callable[[ModelInfo], None]:
    """A callback that ignores and logs messages that are not consistent: they are not of a world_model node."""

    def checked(message: ModelInfo) -> None:
        try:
            require_consistent(message)
        except BadConfig as error:
            node.get_logger().error(str(error), throttle_duration_sec=5.0)
            return
        callback(message)

    return checked


def require_consistent(info: ModelInfo) -> None:
    """Raises BadConfig for a message that no loaded checkpoint sends: unequal lists, or numbers without a meaning."""
    joints = len(info.joint_names)
    per_joint = ("lower", "upper", "max_velocity", "max_acceleration", "scale")
    lengths = {name: len(getattr(info, name)) for name in per_joint}
    wrong = {name: length for name, length in lengths.items() if length != joints}
    if len(info.aliases) != len(info.alias_joints):
        wrong["alias_joints"] = len(info.alias_joints)
    if joints == 0 or len(set(info.joint_names)) != joints or wrong:
        raise BadConfig(
            "ModelInfo",
            expected=f"{joints} values per joint, at least one joint, each name once",
            got=f"lengths {wrong}" if wrong else f"names {list(info.joint_names)}",
            remedy="Only a world_model node should publish on this topic.",
        )
    values = np.concatenate([np.asarray(getattr(info, name), np.float64) for name in per_joint])
    rates = (info.frame_rate_hz, info.past_frames, info.future_frames)
    if not (np.isfinite(values).all() and np.isfinite(rates).all() and min(rates) > 0):
        raise BadConfig(
            "ModelInfo",
            expected="finite limits and scales, and a positive rate and number of frames",
            got=f"rate and frames {rates}, {(~np.isfinite(values)).sum()} limits that are not finite",
            remedy="Only a world_model node should publish on this topic.",
        )
