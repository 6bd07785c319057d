"""Wait until a lifecycle node is active: `python3 -m hwm_ros.wait_active /robot/world_model --timeout 120`.

Ends with status 0 when it is, and with 1 after the time. replay.launch.py starts the recording after it.
"""

import argparse
import sys
import time

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

_ASK_S = 0.2  # period of the questions
_ANSWER_S = 5.0  # a node that loads a model answers late


def wait_active(node: Node, name: str, timeout_s: float) -> bool:
    """Whether the lifecycle node `name` becomes active within the time. `node` asks it, and is spun here."""
    client = node.create_client(GetState, f"{name}/get_state")
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if not client.wait_for_service(timeout_sec=_ASK_S):
                continue
            answer = client.call_async(GetState.Request())
            rclpy.spin_until_future_complete(node, answer, timeout_sec=min(_ANSWER_S, deadline - time.monotonic()))
            if not answer.done():
                client.remove_pending_request(answer)
            elif answer.result().current_state.id == State.PRIMARY_STATE_ACTIVE:
                return True
            time.sleep(_ASK_S)
        return False
    finally:
        node.destroy_client(client)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("node", help="full name of the lifecycle node")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds to wait (%(default)s)")
    options = parser.parse_args(arguments)
    rclpy.init()
    node = rclpy.create_node("wait_active")
    try:
        if wait_active(node, options.node, options.timeout):
            return 0
        text = f"{options.node} is not active after {options.timeout:g} s. Its log and /diagnostics give the reason."
        print(text, file=sys.stderr)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 1


if __name__ == "__main__":
    sys.exit(main())
