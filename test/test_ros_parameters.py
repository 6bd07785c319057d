"""Parameters: declared from the configuration classes, shipped as a file, refused with the reason."""

from pathlib import Path

import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
from rclpy.parameter import Parameter

from hwm_ros.mpc_planner import MpcPlannerParameters
from hwm_ros.parameters import declare_parameters, read_parameters, rows, watch_parameters
from hwm_ros.sim_robot import SimRobotParameters
from hwm_ros.world_model import WorldModelParameters

pytestmark = pytest.mark.ros

NODES = {"world_model": WorldModelParameters, "mpc_planner": MpcPlannerParameters, "sim_robot": SimRobotParameters}
SHIPPED = yaml.safe_load((Path(__file__).parents[1] / "config" / "hwm_ros.yaml").read_text())


def flat(tree, prefix=""):
    for key, value in tree.items():
        yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    it = rclpy.create_node("test", context=context)
    yield it
    it.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize("name", NODES)
def test_the_shipped_file_holds_every_parameter_with_its_default(name):
    # An empty list has no type in a parameter file, so the file shows such a parameter in a comment.
    declared = {row.name: row.default for row in rows(NODES[name]) if row.default != []}
    assert dict(flat(SHIPPED[f"/**/{name}"]["ros__parameters"])) == declared


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_says_what_it_is(name):
    assert [row.name for row in rows(NODES[name]) if not row.description] == []


@pytest.mark.parametrize("kind", NODES.values())
def test_declared_parameters_read_back_as_the_defaults(node, kind):
    declare_parameters(node, kind)
    assert read_parameters(node, kind) == kind()


def test_a_list_of_names_may_be_set(node):
    declare_parameters(node, MpcPlannerParameters)
    node.set_parameters([Parameter("planner.joints", value=["elbow"])])
    assert read_parameters(node, MpcPlannerParameters).planner.joints == ("elbow",)


def test_a_live_parameter_changes_while_the_node_runs_and_others_do_not(node):
    declare_parameters(node, WorldModelParameters)
    applied = []
    watch_parameters(node, WorldModelParameters, lambda: True, applied.append)
    refused = node.set_parameters([Parameter("checkpoint", value="elsewhere")])[0]
    assert not refused.successful
    assert "Clean the node up first" in refused.reason
    assert node.set_parameters([Parameter("objective.goal_latent.weight", value=2.0)])[0].successful
    assert [parameters.objective.goal_latent.weight for parameters in applied] == [2.0]


def test_a_value_out_of_range_is_refused_naming_the_parameter(node):
    declare_parameters(node, WorldModelParameters)
    watch_parameters(node, WorldModelParameters, lambda: False, lambda _: None)
    refused = node.set_parameters([Parameter("live.max_velocity", value=-1.0)])[0]
    assert not refused.successful
    assert "max_velocity" in refused.reason
