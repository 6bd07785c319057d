"""Calls a service of another node, with a limit of wall time."""

import time
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from hwm_ros.error_codes import Rejected
from hwm_ros.msg import ErrorCode


class TimedClient:
    """One request at a time. Coroutines of the node await `call`, and a timer calls `check`.

    Args:
        node: has the client.
        kind: of the service; its response has `error_code` and `error_msg`.
        name: of the service.
    """

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self._client, self._name = node.create_client(kind, name), name
        self._waiting: Future | None = None
        self._since = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether the service exists."""
        return self._client.service_is_ready()

    async def call(self, request: Any) -> Any:
        """The response.

        Raises:
            Rejected: the response is an error, it did not come in time, or the request was canceled.
        """
        assert self._waiting is None, "one request at a time"
        self._since = time.monotonic()
        self._waiting = waiting = self._client.call_async(request)
        response = await waiting
        if self._waiting is waiting:
            self._waiting = None
        if response.error_code != ErrorCode.NONE:
            raise Rejected(response.error_code, response.error_msg)
        return response

    def check(self, timeout_s: float) -> None:
        """End a request that has waited for longer than `timeout_s` of wall time."""
        if self._waiting is not None and time.monotonic() - self._since > timeout_s:
            reason = f"`{self._name}` did not answer within {timeout_s:g} s. See the log and /diagnostics of its node."
            self.cancel(ErrorCode.TIMEOUT, reason)

    def cancel(self, code: int, reason: str) -> bool:
        """End the waiting request with this error. False when none was waiting."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            self._client.remove_pending_request(waiting)
            waiting.set_exception(Rejected(code, reason))
            return True
        return False
