"""Costs of candidates from the world_model node: publish, wait for the scores of the same request."""

import secrets
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import count

import torch
from rclpy.node import Node
from torch import Tensor

from hwm_ros import convert
from hwm_ros.msg import ActionCandidates, ActionScores, ErrorCode
from hwm_ros.node import Rejected
from hwm_ros.qos import RELIABLE, create_publisher, create_subscription


class RemoteScorer:
    """A `planning.Scorer` in another process. Called from a worker thread while the node's executor spins.

    Args:
        node: publishes and hears.
        world_model: name of the world_model node, relative to the node's namespace.
        timeout_s: wall time to wait for one answer.
    """

    def __init__(self, node: Node, world_model: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._numbers = count(secrets.randbits(62))  # other planners ask the same node, and each begins elsewhere
        self._waiting: dict[int, Future] = {}
        self._closed = False
        self._candidates = create_publisher(node, ActionCandidates, f"{world_model}/candidates", RELIABLE)
        create_subscription(node, ActionScores, f"{world_model}/scores", self._on_scores, RELIABLE)

    def score(self, candidates: Tensor, joint_names: list[str], stamp_ns: int) -> Tensor:
        """Costs [S] of candidates [S, F, A] in joint units, planned from the frame at `stamp_ns`.

        Raises:
            Rejected: the world model answered with an error, with another number of costs, or not in time; or `close`.
        """
        number = next(self._numbers)
        answer: Future = Future()
        self._waiting[number] = answer
        if self._closed:  # asked after it waits: `close` sees either the flag heard or the answer waiting
            answer.set_exception(_shut_down())
        values = candidates.float().cpu().numpy()
        self._candidates.publish(convert.candidates_message(values, joint_names, convert.header(stamp_ns), number))
        try:
            scores: ActionScores = answer.result(self._timeout_s)
        except FutureTimeout:
            raise Rejected(ErrorCode.TIMEOUT, f"The world model gave no scores within {self._timeout_s:g} s.") from None
        finally:
            del self._waiting[number]
        if scores.error_code != ErrorCode.NONE:
            raise Rejected(scores.error_code, scores.error_msg)
        if len(scores.costs) != len(candidates):
            told = f"{len(scores.costs)} costs of {len(candidates)} candidates"
            raise Rejected(ErrorCode.INTERNAL, f"The world model gave {told}. Is a node of another version running?")
        return torch.tensor(scores.costs)

    def close(self) -> None:
        """Refuse who waits, and whoever asks later."""
        self._closed = True
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(_shut_down())

    def _on_scores(self, message: ActionScores) -> None:
        answer = self._waiting.get(message.request_id)  # other planners' answers pass by
        if answer is not None and not answer.done():
            answer.set_result(message)


def _shut_down() -> Rejected:
    return Rejected(ErrorCode.CANCELED, "The planner was shut down.")
