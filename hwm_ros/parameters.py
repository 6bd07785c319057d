"""ROS parameters declared from a configuration class: type, default, range and a sentence, written once.

A field of the class is a parameter. `Field(ge=..., le=...)` becomes its range, `description` its description, and
`json_schema_extra=LIVE` makes it changeable while the node runs.
"""

from typing import Any, Callable, TypeVar

from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from hwm_core.config import Config
from hwm_core.errors import BadConfig

C = TypeVar("C", bound=Config)

LIVE = {"live": True}


def declare_parameters(node: Node, kind: type[C]) -> None:
    """Declare every field of `kind` as a parameter of the node."""
    for name, field in kind.model_fields.items():
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        node.declare_parameter(name, default, _descriptor(name, field))


def read_parameters(node: Node, kind: type[C]) -> C:
    """The declared parameters as one frozen, validated configuration.

    Raises:
        BadConfig: a value out of range, naming the parameter.
    """
    return _parse(node, kind, {name: node.get_parameter(name).value for name in kind.model_fields})


def watch_parameters(node: Node, kind: type[C], locked: Callable[[], bool], apply: Callable[[C], None]) -> None:
    """Refuse bad values with the reason and, while `locked`, every change but those of `LIVE` parameters."""

    def on_set(changes: list[Parameter]) -> SetParametersResult:
        ours = {change.name: change.value for change in changes if change.name in kind.model_fields}
        fixed = [name for name in ours if kind.model_fields[name].json_schema_extra != LIVE]
        if locked() and fixed:
            reason = f"{', '.join(fixed)}: read when the node is configured. Clean the node up first."
            return SetParametersResult(successful=False, reason=reason)
        values = {name: node.get_parameter(name).value for name in kind.model_fields}
        try:
            parameters = _parse(node, kind, {**values, **ours})
        except BadConfig as error:
            return SetParametersResult(successful=False, reason=str(error))
        apply(parameters)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def _parse(node: Node, kind: type[C], values: dict[str, Any]) -> C:
    # An empty list in a parameter file has no element type; ROS then hands out None.
    empty = {name for name, value in values.items() if value is None}
    return kind.parse({k: () if k in empty else v for k, v in values.items()}, where=f"parameters of {node.get_name()}")


def _descriptor(name: str, field: FieldInfo) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(name=name, description=field.description or "")
    # An empty default of an array parameter says nothing about its element type.
    descriptor.dynamic_typing = field.default == ()
    low = next((bound.ge for bound in field.metadata if hasattr(bound, "ge")), None)
    high = next((bound.le for bound in field.metadata if hasattr(bound, "le")), None)
    if low is not None and high is not None:
        if isinstance(field.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
