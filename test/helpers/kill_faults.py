"""kill -9 of every process at every stage of a goal."""

from itertools import product

from fault_case import FaultTable
from hwm_ros.msg import ErrorCode
from process_stages import imports_ros
from real_stack import RealStack

KILL_FAULTS = FaultTable()
_CODES = {
    "world_model": ("WORLD_MODEL_GONE",),
    "sim_robot": ("STALE_JOINTS", "STALE_CAMERA"),
    "client": ("CLIENT_GONE",),
}
_TRIES = 4
_PROCESSES = {
    "mpc_planner": "planner",
    "world_model": "world model",
    "sim_robot": "robot and camera",
    "client": "client",
}


def _end_without_client(stack: RealStack, stage: str) -> str:
    """Why the goal of a client that was killed has ended.

    The discovery that the client is gone takes 20 s; until then, the goal of a slow machine may end for another reason.
    """
    stack.forget()
    stack.start_client()
    stack.wait_for_stage(stage)
    stack.kill("client")
    stack.forget()
    report = stack.newest("/diagnostics", lambda m: any("goal was aborted" in one.message for one in m.status))
    return str(report)


def _kill(victim: str, stage: str) -> None:
    """A row: `victim` is killed at `stage`."""

    def act(stack: RealStack) -> None:
        if stage in ("loading", "idle"):
            if victim == "client":
                stack.start_client()
            elif stage == "loading":
                stack.kill(victim)
                stack.start(victim)
            if stage == "loading":
                stack.until(lambda: imports_ros(stack.running[victim].pid), "its imports")
            stack.kill(victim)
            return
        if victim == "client":
            assert any("CLIENT_GONE" in _end_without_client(stack, stage) for _ in range(_TRIES))
            return
        handle = stack.begin(stage)
        stack.kill(victim)
        if victim == "mpc_planner":
            assert stack.stands() or stack.stands(), "the robot stops by itself when commands cease"
            return
        codes = [getattr(ErrorCode, code) for code in _CODES[victim]]
        result = stack.result(handle)
        assert result.error_code in codes, result.error_msg

    act.__name__ = f"kill_{victim}_{stage}"
    answered = {
        "loading": "started again, goals run",
        "idle": "started again, goals run",
    }.get(stage) or ("the robot stands" if victim == "mpc_planner" else " or ".join(f"`{c}`" for c in _CODES[victim]))
    KILL_FAULTS.case("kill -9", f"the {_PROCESSES[victim]}, {stage}", answered)(act)


for _victim, _stage in product(_PROCESSES, ("loading", "idle", "planning", "following")):
    if (_victim, _stage) != ("client", "idle"):  # a client that has sent no goal is one that loads
        _kill(_victim, _stage)
