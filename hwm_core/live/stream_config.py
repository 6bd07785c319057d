"""Settings of the commands that a planner sends."""

from pydantic import Field

from hwm_core.config import Config


class StreamConfig(Config):
    """Settings of the commands."""

    hold_s: float = Field(default=1.0, ge=0.0, le=60.0, description="after a goal, repeat the last command for so long")
    command_timeout_s: float = Field(
        default=0.5,
        gt=0.0,
        le=10.0,
        description="without a command for so long, the robot stops by itself; the next command starts where it is",
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
        default=0.4, ge=0.0, le=5.0, description="recent commands: the robot lags its commands by at most this time"
    )
