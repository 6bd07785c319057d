"""Exceptions of the nodes, and the ErrorCode and error message of every exception."""

from hwm_core.errors import BadActions, BadBag, BadImage, BadInput, RobotMismatch
from hwm_core.live.context import NoContext
from hwm_core.live.goals import GoalChanged, NoGoal
from hwm_core.live.planner import DeadlineTooShort, PlanTooLate
from hwm_core.live.requests import Busy, Canceled, Stopped, Superseded, TimedOut
from hwm_ros.msg import ErrorCode


class NotActive(BadInput):
    """The lifecycle node is not active."""


class Fulfilled(BadInput):
    """The robot fulfils the goal already."""


class Rejected(Exception):
    """A request to another node failed: the node answered with an error, or it did not answer in time."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (NotActive, ErrorCode.NOT_ACTIVE),
    (NoContext, ErrorCode.NO_CONTEXT),
    (NoGoal, ErrorCode.NO_GOAL),
    (GoalChanged, ErrorCode.GOAL_CHANGED),
    (Busy, ErrorCode.BUSY),
    (TimedOut, ErrorCode.TIMEOUT),
    (DeadlineTooShort, ErrorCode.TIMEOUT),
    (PlanTooLate, ErrorCode.PLAN_LATE),
    (RobotMismatch, ErrorCode.ROBOT_MISMATCH),
    (BadActions, ErrorCode.BAD_ACTIONS),
    (BadImage, ErrorCode.BAD_IMAGE),
    (Fulfilled, ErrorCode.FULFILLED),
    (BadBag, ErrorCode.BAD_RECORDING),
    (BadInput, ErrorCode.BAD_REQUEST),
    (Superseded, ErrorCode.BUSY),
    (Canceled, ErrorCode.CANCELED),
    (Stopped, ErrorCode.NOT_ACTIVE),
)


def error_code(error: BaseException) -> int:
    """The `error_code` of an exception; INTERNAL for an unexpected one."""
    if isinstance(error, Rejected):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), ErrorCode.INTERNAL)


def error_text(error: BaseException) -> str:
    """The `error_msg` of an exception: its message, or else the description of its class."""
    return str(error) or type(error).__doc__ or type(error).__name__


def error_name(code: int) -> str:
    """The name of an `error_code`, such as STALE_JOINTS."""
    return next((name for name in dir(ErrorCode) if name.isupper() and getattr(ErrorCode, name) == code), str(code))
