"""Parameters of the node `mpc_planner`."""

from typing import Literal

from pydantic import Field

from hwm_core.errors import BadConfig
from hwm_core.live.watchdogs import WatchdogConfig
from hwm_ros.command_messages import OutputParameters
from hwm_ros.parameters import LIVE, READ_ONLY


class MpcPlannerParameters(WatchdogConfig, OutputParameters):
    """Parameters of the node. Those that are not LIVE can change while no goal runs."""

    world_model: str = Field(
        default="world_model",
        description="name of the world_model node that makes the plans",
        json_schema_extra=READ_ONLY,
    )
    publish_commands: bool = Field(
        default=False,
        description="true: move the robot; false: publish what would be sent on ~/shadow_commands",
        json_schema_extra=LIVE,
    )
    lockstep: bool = Field(
        default=False,
        description="for a simulation that waits for its commands: the command of a frame waits for the plan due at the"
        " frame",
        json_schema_extra=READ_ONLY,
    )
    stamp_source: Literal["header", "receive"] = Field(
        default="header",
        description="age of a joint state; header: from its stamp, without one from its arrival; receive: always from"
        " its arrival. Use the value of the world model",
        json_schema_extra=READ_ONLY,
    )
    replan_s: float = Field(default=0.4, gt=0.0, le=60.0, description="seconds of a plan until the next one is due")
    deadline_s: float = Field(
        default=0.0,
        ge=0.0,
        le=60.0,
        description="seconds for a search, which then returns the best plan so far; 0: replan_s, or no limit in"
        " lockstep",
    )
    standing_deadline_s: float = Field(
        default=3.0,
        ge=0.0,
        le=60.0,
        description="seconds for a search while the robot stands and nothing waits for the next action; 0: deadline_s;"
        " no limit in lockstep",
    )
    reached_frames: int = Field(
        default=3, ge=1, le=1000, description="newest frames whose cost must be below the threshold of a reached goal"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of the searches' random numbers")
    answer_timeout_s: float = Field(
        default=20.0, gt=0.0, le=3600.0, description="longest wall time to wait for an answer of the world model"
    )

    @property
    def search_s(self) -> float:
        """Time for a search in seconds; 0: no deadline."""
        return self.deadline_s or (0.0 if self.lockstep else self.replan_s)

    @property
    def standing_search_s(self) -> float:
        """Time for a search in seconds while the robot stands; 0: no deadline."""
        return 0.0 if self.lockstep else self.standing_deadline_s or self.search_s

    @property
    def latency_s(self) -> float:
        """Time in which the robot moves on while a search runs; 0 in lockstep, where it waits."""
        return 0.0 if self.lockstep else self.search_s

    def require_observable(self, past_frames: int) -> None:
        """Raises BadConfig when a goal with a threshold needs the costs of more frames than the context has."""
        if self.reached_frames > past_frames:
            raise BadConfig(
                "`reached_frames` of the planner",
                expected=f"at most {past_frames}, the frames of the context, for a goal with a `cost_threshold`",
                got=self.reached_frames,
                remedy="Set fewer frames, or no threshold.",
            )

    def require_shorter(self, horizon_s: float) -> None:
        """Raises BadConfig when a search may take longer than its plan lasts."""
        if self.latency_s >= horizon_s:
            raise BadConfig(
                "`deadline_s` of the planner",
                expected=f"less than the horizon of a plan, {horizon_s:.2f} s",
                got=f"{self.search_s:g} s",
                remedy="Set a shorter deadline.",
            )
