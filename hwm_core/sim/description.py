"""The description of the simulated robot: name, rates, joints and MuJoCo model."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.gl import mujoco

SIDES = ("left", "right")
ROBOT = "hwm_sim_humanoid"
CAMERA_FRAME = "head_camera_optical_frame"
PHYSICS_HZ = 240
CONTROL_HZ = 30
JOINT_STATE_HZ = 120
START_NS = 1_000_000_000  # the clock at reset: ROS reads a stamp of 0 as "not set"


@dataclass(frozen=True)
class Joints:
    """The robot's actuated joints, in the order of all states and commands. All arrays [A]."""

    names: tuple[str, ...]
    units: tuple[str, ...]  # "rad" or "m"
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    max_velocity: NDArray[np.float64]  # unit/s; commands should respect it, the robot does not enforce it
    home: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, *names: str) -> NDArray[np.intp]:
        """Columns of the named joints. Raises ValueError for an unknown name."""
        return np.array([self.names.index(name) for name in names], dtype=np.intp)


@dataclass(frozen=True)
class JointReading:
    """Positions and velocities [A] of the joints at a simulated time."""

    names: tuple[str, ...]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    time_ns: int


@lru_cache(maxsize=1)
def joints() -> Joints:
    """The joint table of humanoid.xml."""
    model = load_model()
    ids = model.actuator_trnid[:, 0]
    return Joints(
        names=tuple(model.actuator(i).name for i in range(model.nu)),
        units=tuple("m" if kind == mujoco.mjtJoint.mjJNT_SLIDE else "rad" for kind in model.jnt_type[ids]),
        lower=model.actuator_ctrlrange[:, 0].copy(),
        upper=model.actuator_ctrlrange[:, 1].copy(),
        max_velocity=model.actuator_user[:, 0].copy(),
        home=model.key_ctrl[0].copy(),
    )


def load_model() -> Any:
    """A new mujoco.MjModel of humanoid.xml, which the caller may change."""
    return mujoco.MjModel.from_xml_string(files("hwm_core.sim").joinpath("humanoid.xml").read_text())
