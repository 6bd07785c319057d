"""The simulated humanoid: physics, joints and head camera, with the interface of a robot driver."""

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadActions
from hwm_core.sim.description import (
    CONTROL_HZ,
    JOINT_STATE_HZ,
    PHYSICS_HZ,
    ROBOT,
    SIDES,
    START_NS,
    JointReading,
    joints,
    load_model,
)
from hwm_core.sim.gl import missing_gl, mujoco
from hwm_core.sim.variation import OBJECTS, place_objects, vary_appearance

_SUBSTEPS = PHYSICS_HZ // CONTROL_HZ
_REST_STEPS = 60  # a quarter of a second, in which the objects come to rest


class SimHumanoid:
    """A humanoid upper body at a table, driven by joint-position commands at 30 Hz.

    The order of a tick is the order on a robot: `joint_state()` and `render()`, then `command()`, then `advance()`. So
    a command issued at frame t first changes frame t + 1. The same seed and the same commands give the same bits. All
    images must be rendered by one thread, because a GL context belongs to the thread that opened it.

    Args:
        seed: of the appearance of the scene, the start posture and the object positions.
        camera_size: height and width of the head camera's image in pixels.
    """

    def __init__(self, seed: int, camera_size: int = 128) -> None:
        self.joints = joints()
        self.camera_size = camera_size
        self._renderer: Any = None
        self.reset(seed)

    def __enter__(self) -> "SimHumanoid":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the GL context. Physics stays usable; the next image opens a new context."""
        if self._renderer is not None:
            self._close_renderer()
            self._renderer = None

    # ---------------------------------------------------------------- control

    def reset(self, seed: int) -> None:
        """Start an episode: new appearance, posture and object positions, all at rest, the clock at START_NS."""
        self.close()  # a renderer is bound to the model it was made for
        self.model = load_model()
        self.data = mujoco.MjData(self.model)
        self._index()
        appearance, posture, positions = (np.random.default_rng([seed, k]) for k in range(3))
        vary_appearance(self.model, appearance)
        self._pose(next(p for p in self._start_postures(posture) if self._is_clear(p)))
        half_heights = np.array([self.model.geom(name).size[1 if "cylinder" in name else 2] for name in OBJECTS])
        self.data.qpos[self._object_qpos] = place_objects(self.data.site_xpos, half_heights, positions)
        mujoco.mj_step(self.model, self.data, _REST_STEPS)
        self.data.time = 0.0
        self._refresh()

    def command(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Set the target positions [A], clipped to the joint limits; they take effect at the next `advance`.

        Returns:
            The clipped command [A].

        Raises:
            BadActions: a wrong number of values, or values that are not finite.
        """
        positions = np.asarray(positions, dtype=np.float64)
        if positions.shape != (len(self.joints),) or not np.isfinite(positions).all():
            raise BadActions(
                f"a joint command for {ROBOT}",
                expected=f"{len(self.joints)} finite positions",
                got=f"shape {positions.shape}, {int((~np.isfinite(positions)).sum())} not finite",
                remedy="Send one target for each of SimHumanoid.joints.names, in that order.",
            )
        self.data.ctrl[:] = np.clip(positions, self.joints.lower, self.joints.upper)
        return self.last_command

    def advance(self) -> list[JointReading]:
        """Simulate one control tick of 1/30 s; returns its joint states at 120 Hz."""
        every = PHYSICS_HZ // JOINT_STATE_HZ
        readings = []
        for _ in range(_SUBSTEPS // every):
            mujoco.mj_step(self.model, self.data, every)
            readings.append(self.joint_state())
        self._refresh()
        return readings

    # ---------------------------------------------------------------- observation

    @property
    def time_ns(self) -> int:
        """Simulated time in nanoseconds; START_NS at reset."""
        return START_NS + round(self.data.time * PHYSICS_HZ) * 1_000_000_000 // PHYSICS_HZ

    @property
    def last_command(self) -> NDArray[np.float64]:
        """The current command [A]; before the first command, the start posture."""
        return self.data.ctrl.copy()

    @property
    def positions(self) -> NDArray[np.float64]:
        """Joint positions [A]."""
        return self.data.qpos[self._joint_qpos].copy()

    def joint_state(self) -> JointReading:
        """Positions and velocities now."""
        return JointReading(self.joints.names, self.positions, self.data.qvel[self._joint_qvel].copy(), self.time_ns)

    def palm(self, side: str) -> NDArray[np.float64]:
        """Position [3] between the fingers of the "left" or "right" hand, in metres; z = 0 is the table top."""
        return self.data.site(f"{side}_palm").xpos.copy()

    def object_positions(self) -> NDArray[np.float64]:
        """Centres [n, 3] of the objects in metres, in the order of OBJECTS."""
        return self.data.qpos[self._object_qpos][:, :3].copy()

    def object_tilts(self) -> NDArray[np.float64]:
        """Cosine [n] of the angle between each object's axis and the vertical, in the order of OBJECTS; 1: upright."""
        _, x, y, _ = self.data.qpos[self._object_qpos][:, 3:].T
        return 1 - 2 * (x * x + y * y)

    def render(self) -> NDArray[np.uint8]:
        """The head camera's image, uint8 [H, W, 3] RGB. Raises MissingGL where the machine has no offscreen GL."""
        renderer = self._open_renderer()
        renderer.update_scene(self.data, "head_camera")
        return renderer.render()

    def object_mask(self) -> NDArray[np.uint8]:
        """The object at each pixel of the head camera, uint8 [H, W]: 0 for no object, k for the k-th of OBJECTS.

        Costs a second rendering.
        """
        renderer = self._open_renderer()
        renderer.enable_segmentation_rendering()
        renderer.update_scene(self.data, "head_camera")
        ids = renderer.render()
        renderer.disable_segmentation_rendering()
        # int(): numpy would compare the enum element by element
        geoms = np.where(ids[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM), ids[..., 0], -1)
        return self._object_of_geom[geoms]  # background -1 takes the last entry, 0

    # ---------------------------------------------------------------- saved states

    def save(self) -> NDArray[np.float64]:
        """The complete physical state as one vector; `restore` continues from it bit for bit."""
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.empty(mujoco.mj_stateSize(self.model, kind))
        mujoco.mj_getState(self.model, self.data, state, kind)
        return state

    def restore(self, state: NDArray[np.float64]) -> None:
        """Go back to a saved state of this episode."""
        mujoco.mj_setState(self.model, self.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._refresh()

    # ---------------------------------------------------------------- internals

    def _refresh(self) -> None:
        """Update the poses of bodies and camera: after mj_step they belong to the state before the step.

        mj_forward would also change the solver's warm start, and with it the bits of later steps.
        """
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def _index(self) -> None:
        """Find the joints and objects in MuJoCo's vectors."""
        model = self.model
        joint_ids = model.actuator_trnid[:, 0]
        self._joint_qpos = model.jnt_qposadr[joint_ids]
        self._joint_qvel = model.jnt_dofadr[joint_ids]
        self._object_qpos = np.array([model.joint(name).qposadr[0] + np.arange(7) for name in OBJECTS])
        self._object_of_geom = np.zeros(model.ngeom + 1, np.uint8)
        self._object_of_geom[[model.geom(name).id for name in OBJECTS]] = np.arange(1, len(OBJECTS) + 1)

    def _start_postures(self, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
        """Endless postures around home."""
        table = self.joints
        spread = np.array([0.0 if "neck" in n else 0.008 if "gripper" in n else 0.14 for n in table.names])
        neck = table.index("neck_yaw", "neck_pitch")
        while True:
            posture = table.home + spread * rng.standard_normal(len(table))
            posture[neck] += rng.uniform((-0.15, -0.08), (0.15, 0.08))
            yield np.clip(posture, table.lower, table.upper)

    def _is_clear(self, posture: NDArray[np.float64]) -> bool:
        """Whether both hands are at least 6 cm above the table."""
        self._pose(posture)
        return all(self.palm(side)[2] > 0.06 for side in SIDES)

    def _pose(self, posture: NDArray[np.float64]) -> None:
        """Place the robot in a posture, at rest."""
        self.data.qpos[self._joint_qpos] = self.data.ctrl[:] = posture
        for side in SIDES:  # the second finger of each hand follows the first, it has no actuator
            self.data.joint(f"{side}_thumb").qpos[0] = self.data.joint(f"{side}_gripper").qpos[0]
        mujoco.mj_kinematics(self.model, self.data)

    def _open_renderer(self) -> Any:
        if self._renderer is None:
            try:
                self._renderer = mujoco.Renderer(self.model, self.camera_size, self.camera_size)
            except Exception as error:  # every GL backend raises its own error types
                raise missing_gl(error) from error
            # Free the context of a robot that was not closed. At interpreter exit EGL no longer works.
            self._close_renderer = weakref.finalize(self, self._renderer.close)
        return self._renderer
