"""Messages for /diagnostics."""

import resource
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node


def diagnostics_message(node: Node, level: bytes, summary: str, values: dict[str, Any]) -> DiagnosticArray:
    """One status of a node, stamped with the node's time.

    Args:
        node: its full name becomes the status's name.
        level: a level of DiagnosticStatus.
        summary: one sentence.
        values: the key-value pairs; floats are written with three decimals.
    """
    name = node.get_fully_qualified_name().lstrip("/")
    pairs = [
        KeyValue(key=key, value=f"{value:.3f}" if isinstance(value, float) else str(value))
        for key, value in values.items()
    ]
    status = DiagnosticStatus(level=level, name=name, message=summary, hardware_id="", values=pairs)
    message = DiagnosticArray(status=[status])
    message.header.stamp = node.get_clock().now().to_msg()
    return message


def peak_memory_mb() -> float:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
