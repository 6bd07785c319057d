"""The model of a lifecycle node."""

from hwm_ros.error_codes import NotActive
from hwm_ros.model_server import ModelServer


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
            raise NotActive("world_model", expected="an active node", got="an inactive node", remedy="Activate it.")
        return server
