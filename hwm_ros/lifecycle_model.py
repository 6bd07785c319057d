"""The model of a lifecycle node, and transitions that its state does not have."""

from functools import partial
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode

from hwm_ros.error_codes import NotActive
from hwm_ros.model_server import ModelServer

_ACTIVATE = "Activate it: `ros2 lifecycle set <node> activate`, or by its lifecycle manager."


class LifecycleModel:
    """The model server of a lifecycle node: absent while unconfigured, loaded while inactive or active.

    The node's transitions set the two attributes; services and timers read the methods.
    """

    def __init__(self) -> None:
        self.server: ModelServer | None = None
        self.is_active = False

    def loaded(self) -> ModelServer:
        """The loaded model. Raises NotActive when the node is not configured."""
        if self.server is None:
            remedy = "Configure the node. If that failed, /diagnostics gives the reason."
            raise NotActive("world_model", expected="a configured node", got="no loaded model", remedy=remedy)
        return self.server

    def active(self) -> ModelServer:
        """The model of an active node. Raises NotActive when the node is not active."""
        server = self.loaded()
        if not self.is_active:
            raise NotActive("world_model", expected="an active node", got="an inactive node", remedy=_ACTIVATE)
        return server


def reject_impossible_transitions(node: LifecycleNode) -> None:
    """Answer a transition that the present state does not have with `success: false`; in rclpy it ends the process."""
    for service in node.services:
        if service.srv_type is ChangeState:
            service.callback = partial(_change_state, node, service.callback)


def _change_state(
    node: LifecycleNode, change: Any, request: ChangeState.Request, response: ChangeState.Response
) -> ChangeState.Response:
    try:
        response = change(request, response)
    except RuntimeError as error:
        wanted = request.transition.label or request.transition.id
        node.get_logger().error(f"Transition {wanted} is rejected: the present state does not have it ({error})")
        response.success = False
    return response
