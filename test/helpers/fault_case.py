"""Rows of the table of faults: what is sent, what is answered, and how the answer is checked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class FaultCase:
    """One fault. `act` sends it to a peer and returns when the answer has come; it raises when another one comes."""

    name: str  # of the function
    group: str
    sent: str
    answered: str
    act: Callable[[Any], None]
    fast: bool  # part of the default tests


class FaultTable:
    """Collects cases by decorator, in order."""

    def __init__(self) -> None:
        self.cases: list[FaultCase] = []

    def case(self, group: str, sent: str, answered: str, fast: bool = False) -> Callable:
        """Add the decorated function `act` as a row."""

        def add(act: Callable[[Any], None]) -> Callable[[Any], None]:
            self.cases.append(FaultCase(act.__name__, group, sent, answered, act, fast))
            return act

        return add

    def parameters(self) -> list[Any]:
        """The rows as parameters of a test; those that are not fast are marked slow."""
        return [pytest.param(case, id=case.name, marks=[] if case.fast else [pytest.mark.slow]) for case in self.cases]


def measured(case: FaultCase, peer: Any) -> dict[str, Any]:
    """Send a fault, wait for its answer and for the recovery: the row of the table with both durations."""
    peer.be_plain()
    peer.forget()
    began = time.monotonic()
    case.act(peer)
    answered_s = time.monotonic() - began
    recovered_s = peer.recover()
    return {
        "group": case.group,
        "name": case.name,
        "sent": case.sent,
        "answered": case.answered,
        "answered_s": round(answered_s, 2),
        "recovered_s": round(recovered_s, 2),
    }
