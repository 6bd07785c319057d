"""Diagnostics of the planner."""

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

from hwm_core.live.watchdogs import Watchdogs
from hwm_ros.command_output import CommandOutput
from hwm_ros.diagnostics import diagnostics_message, peak_memory_mb
from hwm_ros.node import STEADY
from hwm_ros.plan_goal import PlanGoal
from hwm_ros.qos import RELIABLE, create_publisher

_PERIOD_S = 1.0


class PlannerHealth:
    """Publishes one status a second, and one at once when a goal has ended.

    Args:
        node: the planner.
        watchdogs: know the ages of the inputs.
        output: knows the commands.
    """

    def __init__(self, node: Node, watchdogs: Watchdogs, output: CommandOutput) -> None:
        self._node, self._watchdogs, self._output = node, watchdogs, output
        self._publisher = create_publisher(node, DiagnosticArray, "/diagnostics", RELIABLE)
        self._fault = ""  # why the last goal was aborted
        self._goal: PlanGoal | None = None  # the newest
        self._goals = 0
        node.create_timer(_PERIOD_S, self.publish, clock=STEADY)

    def begun(self, goal: PlanGoal | None = None) -> None:
        """A goal was accepted, or begins to move the robot."""
        self._fault, self._goal = "", goal
        self._goals += goal is None

    def ended(self, fault: str) -> None:
        """A goal has ended; `fault`: why it was aborted, empty if it was not."""
        self._fault = fault
        self.publish()

    def publish(self) -> None:
        """Publish the status now."""
        output, stream = self._output, self._output.stream
        values: dict[str, Any] = {
            "goals": self._goals,
            "commands_sent": output.sent,
            "shadow_commands": output.shadows,
            "memory_peak_mb": peak_memory_mb(),
            "joints_age_s": self._watchdogs.age_s("joints"),
            "camera_age_s": self._watchdogs.age_s("camera"),
            "world_model_age_s": self._watchdogs.age_s("status"),
        }
        if stream is not None:
            values["publishes_commands"] = not stream.shadow
            values["follows_commands"] = not stream.fault
        if self._goal is not None:
            progress = self._goal.progress
            values["plans_made"], values["plans_late"] = len(progress.plan_seconds), progress.plans_late
            if progress.plan_seconds:
                values["plan_s"] = progress.plan_seconds[-1]
            if progress.plan is not None:
                values["observed_cost"] = progress.plan.observed_cost
                values["futures"] = self._goal.futures
        running = self._goal is not None and not self._goal.progress.over
        level, summary = DiagnosticStatus.OK, "follows a goal" if running else "waits for a goal"
        if self._fault:
            level, summary = DiagnosticStatus.ERROR, f"The last goal was aborted: {self._fault}"
        elif not output.is_silent and not running:
            summary = "stops the robot"
        self._publisher.publish(diagnostics_message(self._node, level, summary, values))
