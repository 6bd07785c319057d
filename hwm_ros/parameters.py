"""ROS parameters declared from a configuration class: type, default, range and a sentence, written once.

A field of the class is a parameter, a field of a nested configuration one with a dotted name. `Field(ge=..., le=...)`
becomes its range, `description` its description; `json_schema_extra=LIVE` makes it (and all that is nested in it)
changeable while the node runs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node

from hwm_core.config import Config
from hwm_core.errors import BadConfig

C = TypeVar("C", bound=Config)

LIVE: dict[str, Any] = {"live": True}


@dataclass(frozen=True)
class ParameterSpec:
    """One ROS parameter."""

    name: str
    default: Any  # a plain ROS value
    description: str
    low: float | None
    high: float | None
    live: bool


def rows(
    kind: type[Config], prefix: str = "", live: bool = False, defaults: Config | None = None
) -> Iterator[ParameterSpec]:
    """The parameters of a configuration class whose fields all have defaults."""
    defaults = kind() if defaults is None else defaults
    for name, field in kind.model_fields.items():
        default, is_live = getattr(defaults, name), live or field.json_schema_extra == LIVE
        if isinstance(default, Config):
            yield from rows(type(default), f"{prefix}{name}.", is_live, default)
        else:
            low = next((bound.ge for bound in field.metadata if hasattr(bound, "ge")), None)
            high = next((bound.le for bound in field.metadata if hasattr(bound, "le")), None)
            plain = list(default) if isinstance(default, tuple) else default
            yield ParameterSpec(prefix + name, plain, field.description or "", low, high, is_live)


def declare_parameters(node: Node, kind: type[Config]) -> None:
    """Declare every field of `kind` as a parameter of the node."""
    for row in rows(kind):
        node.declare_parameter(row.name, row.default, _descriptor(row))


def read_parameters(node: Node, kind: type[C]) -> C:
    """The declared parameters as one frozen, validated configuration.

    Raises:
        BadConfig: a value out of range, naming the parameter.
    """
    return _parse(node, kind, {})


def watch_parameters(node: Node, kind: type[C], locked: Callable[[], bool], apply: Callable[[C], None]) -> None:
    """Refuse bad values with the reason and, while `locked`, every change but those of `LIVE` parameters."""
    live = {row.name: row.live for row in rows(kind)}

    def on_set(changes: list[Any]) -> SetParametersResult:
        ours = {change.name: change.value for change in changes if change.name in live}
        if not ours:
            return SetParametersResult(successful=True)
        fixed = [name for name in ours if not live[name]]
        if locked() and fixed:
            reason = f"{', '.join(fixed)}: read when the node is configured. Clean the node up first."
            return SetParametersResult(successful=False, reason=reason)
        try:
            parameters = _parse(node, kind, ours)
        except BadConfig as error:
            return SetParametersResult(successful=False, reason=str(error))
        apply(parameters)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def _parse(node: Node, kind: type[C], changes: Mapping[str, Any]) -> C:
    tree: dict[str, Any] = {}
    for row in rows(kind):
        value = changes[row.name] if row.name in changes else node.get_parameter(row.name).value
        *path, leaf = row.name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        # An empty list in a parameter file has no element type, so ROS hands out None; arrays come as array.array.
        branch[leaf] = tuple(value or ()) if isinstance(row.default, list) else value
    return kind.parse(tree, where=f"parameters of {node.get_name()}")


def _descriptor(row: ParameterSpec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(name=row.name, description=row.description)
    # An empty default says nothing about the type of an array's elements.
    descriptor.dynamic_typing = row.default == []
    if row.low is not None and row.high is not None:
        if isinstance(row.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(row.low), to_value=float(row.high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(row.low), to_value=int(row.high), step=1)]
    return descriptor
