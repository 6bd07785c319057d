"""ROS parameters declared from a configuration class, which states type, default, range and description once.

Each field becomes a parameter. A field of a nested configuration gets a dotted name. `Field(ge=..., le=...)` sets
the range, `description` the description. `json_schema_extra=LIVE` marks a field, and all fields nested in it, as
changeable while the node runs; `READ_ONLY` fields never change after the start.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from hwm_core.config import Config
from hwm_core.errors import BadConfig
from hwm_ros.distributions import before_setting

C = TypeVar("C", bound=Config)

LIVE: dict[str, Any] = {"live": True}
READ_ONLY: dict[str, Any] = {"read_only": True}
_WRITTEN_NUMBERS = (Parameter.Type.INTEGER, Parameter.Type.STRING)


@dataclass(frozen=True)
class ParameterSpec:
    """One ROS parameter."""

    name: str
    default: Any  # a value of a ROS parameter type
    description: str
    low: float | None
    high: float | None
    live: bool
    read_only: bool


def parameter_specs(
    kind: type[Config], prefix: str = "", live: bool = False, defaults: Config | None = None
) -> Iterator[ParameterSpec]:
    """The parameters of a configuration class; every field must have a default.

    Args:
        kind: the configuration class.
        prefix: start of every name, for nested configurations.
        live: whether all parameters are changeable while the node runs.
        defaults: default values; None: those of the class.
    """
    defaults = kind() if defaults is None else defaults
    for name, field in kind.model_fields.items():
        default, is_live = getattr(defaults, name), live or field.json_schema_extra == LIVE
        if isinstance(default, Config):
            yield from parameter_specs(type(default), f"{prefix}{name}.", is_live, default)
        else:
            low = next((bound.ge for bound in field.metadata if hasattr(bound, "ge")), None)
            high = next((bound.le for bound in field.metadata if hasattr(bound, "le")), None)
            ros_value = list(default) if isinstance(default, tuple) else default
            read_only = field.json_schema_extra == READ_ONLY
            yield ParameterSpec(prefix + name, ros_value, field.description or "", low, high, is_live, read_only)


def declare_parameters(node: Node, kind: type[Config]) -> None:
    """Declare every field of `kind` as a parameter of the node.

    A number may be given as people write it: `1e-4` or `2` for a floating-point parameter, which ROS takes for a string
    and an integer.

    Raises:
        BadConfig: a value of another type.
    """
    specs = {spec.name: spec for spec in parameter_specs(kind)}
    for spec in specs.values():
        descriptor = _descriptor(spec)
        if not isinstance(spec.default, float):
            node.declare_parameter(spec.name, spec.default, descriptor)
            continue
        descriptor.dynamic_typing, descriptor.read_only = True, False
        given = node.declare_parameter(spec.name, spec.default, descriptor).value
        node.undeclare_parameter(spec.name)
        descriptor.dynamic_typing, descriptor.read_only = False, spec.read_only
        node.declare_parameter(spec.name, _as_float(spec.name, given), descriptor, ignore_override=True)

    def as_written(changes: list[Parameter]) -> list[Parameter]:
        return [_converted(change, specs.get(change.name)) for change in changes]

    before_setting(node, as_written)


def read_parameters(node: Node, kind: type[C]) -> C:
    """The declared parameters as one frozen, validated configuration.

    Raises:
        BadConfig: a value is out of range; the message names the parameter.
    """
    return _parse(node, kind, {})


def watch_parameters(node: Node, kind: type[C], locked: Callable[[], str], apply: Callable[[C], None]) -> None:
    """Validate every change of a parameter as at the start, and call `apply` with the new configuration.

    Args:
        node: has the declared parameters of `kind`.
        kind: the configuration class.
        locked: while it returns a reason, only LIVE parameters can change.
        apply: called after every accepted change.
    """
    live = {spec.name: spec.live for spec in parameter_specs(kind)}

    def on_set(changes: list[Any]) -> SetParametersResult:
        known = {change.name: change.value for change in changes if change.name in live}
        if not known:
            return SetParametersResult(successful=True)
        fixed = [name for name in known if not live[name]]
        if fixed and (reason := locked()):
            return SetParametersResult(successful=False, reason=f"{', '.join(fixed)}: {reason}")
        try:
            parameters = _parse(node, kind, known)
        except BadConfig as error:
            return SetParametersResult(successful=False, reason=str(error))
        apply(parameters)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def _parse(node: Node, kind: type[C], changes: Mapping[str, Any]) -> C:
    """The node's parameters, with `changes` in place of the current values."""
    tree: dict[str, Any] = {}
    for spec in parameter_specs(kind):
        value = changes[spec.name] if spec.name in changes else node.get_parameter(spec.name).value
        *path, leaf = spec.name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        # ROS returns None for an empty list of a parameter file (it has no element type), and array.array for arrays.
        branch[leaf] = tuple(value or ()) if isinstance(spec.default, list) else value
    return kind.parse(tree, where=f"parameters of {node.get_name()}")


def _as_float(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadConfig(name, expected="a number", got=f"`{value}`", remedy="Write for example 1e-4.") from None


def _converted(change: Parameter, spec: ParameterSpec | None) -> Parameter:
    """A floating-point parameter that is given as an integer or a string of a number; any other change as it is."""
    if spec is not None and isinstance(spec.default, float) and change.type_ in _WRITTEN_NUMBERS:
        with suppress(ValueError):
            return Parameter(change.name, Parameter.Type.DOUBLE, float(change.value))
    return change


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(name=spec.name, description=spec.description, read_only=spec.read_only)
    # ROS cannot infer the element type of an array from an empty default.
    descriptor.dynamic_typing = spec.default == []
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            limits = FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            descriptor.floating_point_range = [limits]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)]
    return descriptor
