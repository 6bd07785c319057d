"""Requests to a model: they wait in a bounded queue, and senders take turns."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import inf
from typing import Any

from pydantic import Field

from hwm_core.config import Config
from hwm_core.errors import BadInput


class Unanswered(Exception):
    """A request ended without an answer, and without a fault."""


class Superseded(Unanswered):
    """A newer request of the same sender replaced this request before it started."""


class Stopped(Unanswered):
    """The model was stopped before the request was answered."""


class Canceled(Unanswered):
    """The request was canceled, or the context that it was made for was cleared."""


class Busy(BadInput):
    """Too many requests wait."""


class TimedOut(BadInput):
    """The request was not answered within its time limit."""


class RequestLimits(Config):
    """Bounds of the requests that wait for the model."""

    waiting: int = Field(
        default=32, ge=1, le=10_000, description="requests that may wait; further ones are answered with BUSY at once"
    )
    per_sender: int = Field(default=8, ge=1, le=10_000, description="requests of one sender that may wait")
    timeout_s: float = Field(
        default=20.0,
        ge=0.0,
        le=86_400.0,
        description="time after which a request is answered with TIMEOUT, waiting or running; 0: no limit",
    )


@dataclass(eq=False)
class Request:
    """One piece of work, and who waits for it.

    Args:
        work: runs in the thread of the model.
        sender: requests of one sender run in order.
        replaces: the waiting request of this sender is replaced.
        urgent: runs before all requests that are not urgent, and always finds room.
        until: time at which the answer is TimedOut.
    """

    work: Callable[[], Any]
    sender: str = ""
    replaces: bool = False
    urgent: bool = False
    until: float = inf
    future: Future = field(default_factory=Future)
    end: BaseException | None = None  # why the running request has to end

    def timed_out(self, now: float) -> TimedOut | None:
        """The error of a request whose time is over."""
        if now < self.until:
            return None
        return TimedOut(
            "Request",
            expected="an answer in time",
            got="none: the model is busy, or the request is too large",
            remedy="Send fewer or smaller requests, or raise the parameter `requests.timeout_s`.",
        )


class RequestQueue:
    """Waiting requests. Not thread-safe.

    The senders take turns: each turn runs the oldest request of the sender whose turn is longest ago.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._urgent: deque[Request] = deque()
        self._waiting: OrderedDict[str, deque[Request]] = OrderedDict()  # the sender whose turn is next comes first

    def __len__(self) -> int:
        """Requests that wait."""
        return len(self._urgent) + sum(map(len, self._waiting.values()))

    def require_room(self, sender: str, replaces: bool = False) -> None:
        """Raises Busy when a request of this sender would find no room."""
        own, total = len(self._waiting.get(sender, ())), len(self)
        if replaces and own:
            return
        if own >= self._limits.per_sender or total >= self._limits.waiting:
            raise Busy(
                "Request",
                expected=f"at most {self._limits.per_sender} waiting of a sender, {self._limits.waiting} in all",
                got=f"{own} of this sender, {total} in all",
                remedy="Try again when an earlier request is answered.",
            )

    def add(self, request: Request) -> list[Request]:
        """Let a request wait; returns those it replaces. Raises Busy."""
        if request.urgent:
            self._urgent.append(request)
            return []
        self.require_room(request.sender, request.replaces)
        replaced = list(self._waiting.get(request.sender, ())) if request.replaces else []
        if replaced:
            self._waiting[request.sender].clear()  # keeps the turn: frequent senders would otherwise never get one
        self._waiting.setdefault(request.sender, deque()).append(request)
        return replaced

    def next(self) -> Request | None:
        """Take the request whose turn it is."""
        if self._urgent:
            return self._urgent.popleft()
        if not self._waiting:
            return None
        sender, own = next(iter(self._waiting.items()))
        request = own.popleft()
        del self._waiting[sender]
        if own:
            self._waiting[sender] = own  # last in turn
        return request

    def remove(self, matches: Callable[[Request], bool]) -> list[Request]:
        """Take all matching requests that are not urgent."""
        taken: list[Request] = []
        for sender, own in list(self._waiting.items()):
            taken += filter(matches, own)
            if kept := [request for request in own if not matches(request)]:
                self._waiting[sender] = deque(kept)
            else:
                del self._waiting[sender]
        return taken

    def clear(self) -> list[Request]:
        """Take all requests."""
        taken = [*self._urgent, *self.remove(lambda _: True)]
        self._urgent.clear()
        return taken
