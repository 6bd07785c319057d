"""Settings of the commands that a planner sends."""

from pydantic import Field

from hwm_core.config import Config


class StreamConfig(Config):
    """Settings of the commands."""

    hold_s: float = Field(
        default=1.0, ge=0.0, le=60.0, description="seconds for which the last command is repeated after a goal"
    )
    command_timeout_s: float = Field(
        default=0.5,
        gt=0.0,
        le=10.0,
        description="seconds without a command until the robot stops by itself; the next command starts where it is",
    )
    joints_timeout_s: float = Field(
        default=0.5, gt=0.0, le=10.0, description="longest time without a new joint state; then the goal is aborted"
    )
    camera_timeout_s: float = Field(
        default=0.5, gt=0.0, le=10.0, description="longest time without a new camera frame; then the goal is aborted"
    )
    tracking_tolerance: float = Field(
        default=0.2,
        gt=0.0,
        le=10.0,
        description="largest distance in rad (or m) of a joint from its recent commands; then the goal is aborted",
    )
    tracking_lag_s: float = Field(
        default=0.4,
        ge=0.0,
        le=5.0,
        description="seconds by which the robot may lag its commands; commands of this time are recent",
    )
