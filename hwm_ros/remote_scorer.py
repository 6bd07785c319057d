"""Costs of candidates from the world_model node: publish a request, wait for the scores with the same request id."""

import secrets
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import count

import torch
from rclpy.node import Node
from torch import Tensor

from hwm_ros import convert
from hwm_ros.error_codes import Rejected
from hwm_ros.msg import ActionCandidates, ActionScores, ErrorCode
from hwm_ros.qos import RELIABLE, create_publisher, create_subscription


class RemoteScorer:
    """A `planning.Scorer` in another process. A worker thread calls it while the node's executor spins.

    Args:
        node: publishes candidates and receives scores.
        world_model: name of the world_model node, relative to the node's namespace.
        timeout_s: longest wall time to wait for scores.
    """

    def __init__(self, node: Node, world_model: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # Several planners may use one world model, so each planner starts its ids at a random number.
        self._request_ids = count(secrets.randbits(62))
        self._waiting: dict[int, Future] = {}
        self._closed = False
        self._candidates = create_publisher(node, ActionCandidates, f"{world_model}/candidates", RELIABLE)
        create_subscription(node, ActionScores, f"{world_model}/scores", self._on_scores, RELIABLE)

    def score(self, candidates: Tensor, joint_names: list[str], stamp_ns: int) -> Tensor:
        """Costs [S] of candidates.

        Args:
            candidates: [S, F, A] in joint units.
            joint_names: [A] columns of the candidates.
            stamp_ns: stamp of the frame that the plan starts from.

        Raises:
            Rejected: the world model reported an error, returned a wrong number of costs or did not answer in time;
                or the scorer was closed.
        """
        request_id = next(self._request_ids)
        answer: Future = Future()
        self._waiting[request_id] = answer
        # Checked after the answer is registered: either this line sees the flag, or `close` sees the answer.
        if self._closed:
            answer.set_exception(_shut_down())
        values = candidates.float().cpu().numpy()
        self._candidates.publish(convert.candidates_message(values, joint_names, convert.header(stamp_ns), request_id))
        try:
            scores: ActionScores = answer.result(self._timeout_s)
        except FutureTimeout:
            reason = f"The world model returned no scores within {self._timeout_s:g} s."
            raise Rejected(ErrorCode.TIMEOUT, reason) from None
        finally:
            del self._waiting[request_id]
        if scores.error_code != ErrorCode.NONE:
            raise Rejected(scores.error_code, scores.error_msg)
        if len(scores.costs) != len(candidates):
            got = f"{len(scores.costs)} costs for {len(candidates)} candidates"
            raise Rejected(ErrorCode.INTERNAL, f"The world model returned {got}. Do both nodes have the same version?")
        return torch.tensor(scores.costs)

    def close(self) -> None:
        """End all waiting and all later requests with an error."""
        self._closed = True
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(_shut_down())

    def _on_scores(self, message: ActionScores) -> None:
        answer = self._waiting.get(message.request_id)  # None for the scores of another planner
        if answer is not None and not answer.done():
            answer.set_result(message)


def _shut_down() -> Rejected:
    return Rejected(ErrorCode.CANCELED, "The planner was shut down.")
