"""Faults of the ROS graph that cost messages without an error: no publisher, another type, a name used twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rclpy.node import Node

from hwm_core.live.health import Finding


@dataclass(frozen=True)
class ExpectedTopic:
    """A topic that the node subscribes to.

    Args:
        name: resolved.
        type_name: such as sensor_msgs/msg/Image.
        alternatives: {other resolved topic: what to do if that one has a publisher}.
    """

    name: str
    type_name: str
    alternatives: tuple[tuple[str, str], ...] = ()


def graph_findings(node: Node, topics: Sequence[ExpectedTopic]) -> Iterator[tuple[str, Finding]]:
    """Faults of the node's surroundings now, each with a key that stays the same while the fault lasts."""
    for topic in topics:
        publishers = node.get_publishers_info_by_topic(topic.name)
        if wrong := sorted({info.topic_type for info in publishers} - {topic.type_name}):
            owners = ", ".join(sorted({info.node_name for info in publishers if info.topic_type in wrong}))
            yield (
                f"type {topic.name}",
                Finding(
                    f"{topic.name}: expected messages of type {topic.type_name}, got publishers of {', '.join(wrong)} "
                    f"({owners}). No message is exchanged with them. Remap one of the topics."
                ),
            )
        if not publishers:
            there = [(name, remedy) for name, remedy in topic.alternatives if node.count_publishers(name)]
            found = f"but {there[0][0]} is there. {there[0][1]}" if there else "Start it, or remap the topic."
            yield f"publisher {topic.name}", Finding(f"{topic.name} has no publisher. {found}", is_error=bool(there))
    own = (node.get_name(), node.get_namespace())
    if (count := node.get_node_names_and_namespaces().count(own)) > 1:
        name = node.get_fully_qualified_name()
        yield (
            f"name {name}",
            Finding(
                f"{count} nodes are named {name}: their answers and statuses mix. Give each its own namespace or name."
            ),
        )
