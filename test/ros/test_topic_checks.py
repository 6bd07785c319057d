"""Faults of the ROS graph, with a graph that is made up. No DDS."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from hwm_ros.topic_checks import ExpectedTopic, graph_findings

pytestmark = pytest.mark.ros

IMAGE = ExpectedTopic(
    "/camera", "sensor_msgs/msg/Image", (("/camera/compressed", "Start the node with image_transport:=compressed."),)
)


class Graph:
    """A node in a graph of {topic: [(node, type)]}."""

    def __init__(self, publishers=(), names=(("world_model", "/"),)):
        self.publishers, self.names = dict(publishers), list(names)

    def get_publishers_info_by_topic(self, topic):
        return [SimpleNamespace(node_name=node, topic_type=kind) for node, kind in self.publishers.get(topic, ())]

    def count_publishers(self, topic):
        return len(self.publishers.get(topic, ()))

    def get_name(self):
        return "world_model"

    def get_namespace(self):
        return "/"

    def get_fully_qualified_name(self):
        return "/world_model"

    def get_node_names_and_namespaces(self):
        return self.names


def found(graph):
    return {key: finding.text for key, finding in graph_findings(graph, [IMAGE])}


def test_a_publisher_of_the_right_type_is_fine():
    assert found(Graph({"/camera": [("driver", "sensor_msgs/msg/Image")]})) == {}


def test_without_a_publisher_the_other_topic_that_has_one_is_named_with_the_fix():
    nothing = found(Graph())["publisher /camera"]
    assert nothing == "/camera has no publisher. Start it, or remap the topic."
    other = Graph({"/camera/compressed": [("driver", "sensor_msgs/msg/CompressedImage")]})
    assert "but /camera/compressed is there. Start the node" in found(other)["publisher /camera"]


def test_publishers_of_another_type_are_named_beside_good_ones():
    text = found(Graph({"/camera": [("driver", "sensor_msgs/msg/Image"), ("odd", "std_msgs/msg/Empty")]}))[
        "type /camera"
    ]
    assert "got publishers of std_msgs/msg/Empty (odd)" in text


def test_a_second_node_of_the_same_name_is_reported_but_not_one_in_another_namespace():
    driver = {"/camera": [("driver", "sensor_msgs/msg/Image")]}
    assert found(Graph(driver, [("world_model", "/"), ("world_model", "/other")])) == {}
    assert "2 nodes are named /world_model" in found(Graph(driver, [("world_model", "/")] * 2))["name /world_model"]
