"""The action manifest: joints of an action vector, their order, units and limits, and their normalisation."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.data.robot.joint_limits import limits_or_extremes
from hwm_core.data.robot.joint_names import match_names, require_distinct_names
from hwm_core.data.robot.joint_series import JointSeries
from hwm_core.errors import BadActions

ActionKind = Literal["states", "commands"]
Array = TypeVar("Array", bound=Any)  # a numpy array or a torch tensor

# Standard deviations below what encoders resolve (rad, m or unit closure): the z-score of such a joint is noise.
CONSTANT_STD = 1e-4


class ActionManifest(Config):
    """Joints of a robot as a model's action vector; all tuples have length A. Every checkpoint contains one."""

    robot: str
    kind: ActionKind
    names: tuple[str, ...]
    units: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    constant: tuple[bool, ...]
    aliases: dict[str, str] = Field(default={}, description="{name a robot publishes: name here}, from an embodiment")

    @model_validator(mode="after")
    def _consistent(self) -> "ActionManifest":
        lengths = {name: len(getattr(self, name)) for name in ("units", "lower", "upper", "mean", "std", "constant")}
        if wrong := {name: length for name, length in lengths.items() if length != self.dim}:
            raise ValueError(f"{self.dim} names, but lengths {wrong}")
        if len(set(self.names)) != self.dim:
            raise ValueError("joint names repeat")
        if not np.isfinite([self.lower, self.upper, self.mean, self.std]).all() or min(self.std, default=1.0) <= 0:
            raise ValueError("limits and statistics must be finite, std positive")
        return self

    @property
    def dim(self) -> int:
        """Number of joints A."""
        return len(self.names)

    @property
    def scale(self) -> tuple[float, ...]:
        """Standard deviation of each joint; 0 for constant joints."""
        return tuple(0.0 if constant else std for std, constant in zip(self.std, self.constant, strict=True))

    def normalisation(self, like: Array) -> tuple[Array, Array]:
        """Mean and inverse standard deviation (0 for constant joints), [A] each, of the type and device of `like`."""
        return _like(like, self.mean), _like(like, [1 / std if std else 0.0 for std in self.scale])

    def normalise(self, values: Array, normalisation: tuple[Array, Array] | None = None) -> Array:
        """Z-score of `values` [..., A]. Constant joints, and joints that the robot lacks (NaN), become exactly 0.

        Args:
            values: in joint units.
            normalisation: what `normalisation` returns, so that it is not copied to a GPU again; default: computed.

        Raises:
            BadActions: the last axis is not A.
        """
        self._check(values)
        mean, inverse_std = normalisation or self.normalisation(values)
        scores = (values - mean) * inverse_std
        if hasattr(scores, "new_tensor"):
            return scores.masked_fill(scores.isnan(), 0)
        return np.where(np.isnan(scores), scores.dtype.type(0), scores)

    def as_recorded(self, names: Collection[str]) -> "ActionManifest":
        """The manifest with these joints left as they are by `normalise`; names that it lacks are ignored."""
        kept = [name in names for name in self.names]

        def chosen(values: Sequence[Any], value: Any) -> tuple[Any, ...]:
            return tuple(value if keep else one for keep, one in zip(kept, values, strict=True))

        return self.model_copy(
            update={
                "mean": chosen(self.mean, 0.0),
                "std": chosen(self.std, 1.0),
                "constant": chosen(self.constant, False),
            }
        )

    def match(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Index of each joint of the manifest in `names`, [A]: `values[..., index]` is in manifest order.

        Other joints are ignored.

        Raises:
            RobotMismatch: joints are missing; lists them.
        """
        names = [self.aliases.get(name, name) for name in names]
        return match_names(self.names, names, whose=f"robot `{self.robot}`")

    def actions_of(self, episode: JointSeries) -> NDArray[np.float32]:
        """The states or commands of an episode in manifest order, as recorded, [F, A].

        Raises:
            BadActions: states or commands, whichever the manifest needs, were not recorded.
            RobotMismatch: joints are missing.
        """
        values = episode.commands if self.kind == "commands" else episode.states
        if values is None:
            raise BadActions(
                f"Episode {episode.name}",
                expected=self.kind,
                got="none recorded",
                remedy="Record that topic too, or train with the other kind of actions.",
            )
        return values[:, self.match(episode.names)].astype(np.float32)

    def _check(self, values: Any) -> None:
        if not values.shape or values.shape[-1] != self.dim:
            raise BadActions(
                "Action vector",
                expected=f"[..., {self.dim}]",
                got=list(values.shape),
                remedy=f"Give the joints in this order: {', '.join(self.names)}.",
            )


def fit_manifest(
    robot: str,
    kind: ActionKind,
    names: Sequence[str],
    units: Sequence[str],
    training_values: NDArray[np.floating],
    limits: Sequence[tuple[float, float] | None] | None = None,
    masked: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> ActionManifest:
    """Fit limits and normalisation to training values.

    Args:
        robot: name of the robot.
        kind: whether the values are states or commands.
        names: names of the A joints.
        units: unit of each joint.
        training_values: [N, A], frames of the training split only.
        limits: (lower, upper) of each joint; None takes the extremes of its values.
        masked: accept NaN, which means that a robot lacks the joint.
        aliases: {name a robot publishes: name here}.

    Raises:
        BadActions: values are missing, not finite or misshapen, or the limits of a joint cannot belong to its values.
        RobotMismatch: a name repeats.
    """
    require_distinct_names(names, f"robot `{robot}`")
    values = np.asarray(training_values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names) or len(values) == 0:
        raise BadActions(
            "Training values",
            expected=f"[N, {len(names)}], N > 0",
            got=list(values.shape),
            remedy="Give one row per frame.",
        )
    if np.isinf(values).any() or (not masked and np.isnan(values).any()):
        bad = [name for name, column in zip(names, values.T, strict=True) if not np.isfinite(column).all()]
        raise BadActions(
            "Training values",
            expected="finite numbers",
            got=f"NaN or infinity in {', '.join(bad)}",
            remedy="Drop those frames.",
        )
    columns = [column[~np.isnan(column)] for column in values.T]
    columns = [column if len(column) else np.zeros(1) for column in columns]  # no robot has the joint: constant
    std = np.array([column.std() for column in columns])
    constant = std < CONSTANT_STD
    lower, upper = limits_or_extremes(names, columns, limits or [None] * len(names), units)
    return ActionManifest(
        robot=robot,
        kind=kind,
        names=tuple(names),
        units=tuple(units),
        lower=lower,
        upper=upper,
        mean=tuple(float(column.mean()) for column in columns),
        std=tuple(np.where(constant, 1.0, std).tolist()),
        constant=tuple(constant.tolist()),
        aliases=dict(aliases or {}),
    )


def _like(values: Any, row: Sequence[float]) -> Any:
    """`row` as an array of the type, precision and device of `values`, without an import of torch."""
    return values.new_tensor(row) if hasattr(values, "new_tensor") else np.asarray(row, dtype=values.dtype)
