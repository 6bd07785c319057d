"""ROS parameters: declared from the configuration classes, shipped as a file, validated when they change."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
import rclpy
from rclpy.parameter import Parameter

from hwm_core.errors import BadConfig
from hwm_ros.parameter_file import NODES, parameter_file
from hwm_ros.parameters import declare_parameters, parameter_specs, read_parameters, watch_parameters
from hwm_ros.start_node import build_parser, run
from hwm_ros.world_model import WorldModelParameters

pytestmark = pytest.mark.ros

SHIPPED = Path(__file__).parents[2] / "config" / "hwm_ros.yaml"


def test_the_shipped_file_equals_the_generated_one():
    assert SHIPPED.read_text() == parameter_file(), "run: python -m hwm_ros.parameter_file > config/hwm_ros.yaml"


@pytest.mark.parametrize("name", NODES)
def test_a_node_started_with_the_shipped_file_has_the_defaults(name):
    context = rclpy.Context()
    rclpy.init(context=context, args=["--ros-args", "--params-file", str(SHIPPED)])
    node = rclpy.create_node(name, context=context, namespace="robot")
    declare_parameters(node, NODES[name])
    assert read_parameters(node, NODES[name]) == NODES[name]()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_has_a_description(name):
    assert [spec.name for spec in parameter_specs(NODES[name]) if not spec.description] == []


@pytest.mark.parametrize("kind", NODES.values())
def test_declared_parameters_read_back_as_the_defaults(node, kind):
    declare_parameters(node, kind)
    assert read_parameters(node, kind) == kind()


def test_a_list_of_names_can_be_set(node):
    declare_parameters(node, WorldModelParameters)
    node.set_parameters([Parameter("search.joints", value=["elbow"])])
    assert read_parameters(node, WorldModelParameters).search.joints == ("elbow",)


def test_only_live_parameters_change_while_the_node_runs(node):
    declare_parameters(node, WorldModelParameters)
    applied = []
    watch_parameters(node, WorldModelParameters, lambda: "Call the transition `cleanup` first.", applied.append)
    rejected = node.set_parameters([Parameter("checkpoint", value="elsewhere")])[0]
    assert not rejected.successful
    assert "Call the transition `cleanup` first" in rejected.reason
    assert node.set_parameters([Parameter("objective.goal_latent.weight", value=2.0)])[0].successful
    assert [parameters.objective.goal_latent.weight for parameters in applied] == [2.0]


@pytest.mark.parametrize("value", ["1e-4", "1e-04", "2", 2, "0.5"])
def test_a_number_for_a_floating_point_parameter_may_be_written_as_people_do(node, value):
    declare_parameters(node, WorldModelParameters)
    watch_parameters(node, WorldModelParameters, lambda: True, lambda _: None)
    assert node.set_parameters([Parameter("objective.smoothness.weight", value=value)])[0].successful
    stored = node.get_parameter("objective.smoothness.weight").value
    assert type(stored) is float and stored == float(value)


@pytest.mark.parametrize("value", ["inf", ".inf", float("inf"), float("nan"), "1e30", "much", True])
def test_a_weight_that_no_cost_can_have_is_rejected_with_the_reason(node, value):
    declare_parameters(node, WorldModelParameters)
    watch_parameters(node, WorldModelParameters, lambda: True, lambda _: None)
    rejected = node.set_parameters([Parameter("objective.smoothness.weight", value=value)])[0]
    assert not rejected.successful and rejected.reason


@pytest.mark.parametrize(("text", "number"), [("1e-4", 1e-4), ("2", 2.0), ("0.25", 0.25)])
def test_a_number_on_the_command_line_may_be_written_as_people_do(text, number):
    context = rclpy.Context()
    rclpy.init(context=context, args=["--ros-args", "-p", f"objective.smoothness.weight:={text}"])
    node = rclpy.create_node("world_model", context=context)
    declare_parameters(node, WorldModelParameters)
    assert read_parameters(node, WorldModelParameters).objective.smoothness.weight == number
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_a_word_for_a_number_on_the_command_line_is_an_error_with_the_parameters_name():
    context = rclpy.Context()
    rclpy.init(context=context, args=["--ros-args", "-p", "objective.smoothness.weight:=heavy"])
    node = rclpy.create_node("world_model", context=context)
    with pytest.raises(BadConfig, match=r"objective\.smoothness\.weight: expected a number, got `heavy`"):
        declare_parameters(node, WorldModelParameters)
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_a_value_out_of_range_is_rejected_with_the_parameters_name(node):
    declare_parameters(node, WorldModelParameters)
    watch_parameters(node, WorldModelParameters, lambda: "", lambda _: None)
    rejected = node.set_parameters([Parameter("limits.max_velocity", value=-1.0)])[0]
    assert not rejected.successful
    assert "max_velocity" in rejected.reason


def test_an_unknown_parameter_on_the_command_line_is_rejected_with_the_nearest_one():
    options = build_parser().parse_args(["world_model", "use_sim_time:=true", "chekpoint:=tiny"])
    with pytest.raises(BadConfig, match=r"got `chekpoint`\. Did you mean `checkpoint`\?"):
        run(options)
