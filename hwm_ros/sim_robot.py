"""The `sim_robot` node: the simulated humanoid behind the topics of a robot driver."""

import time
from array import array
from typing import Literal

from pydantic import Field
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64, Header

from hwm_core.config import Config
from hwm_core.data.recording.image_message import encode_image
from hwm_core.errors import BadInput
from hwm_core.sim.description import CAMERA_FRAME, CONTROL_HZ, JointReading
from hwm_core.sim.session import SimSession
from hwm_ros import convert
from hwm_ros.error_codes import error_code, error_text
from hwm_ros.node import STEADY, run
from hwm_ros.parameters import LIVE, READ_ONLY, declare_parameters, read_parameters, watch_parameters
from hwm_ros.qos import JOINTS_OUT, LATCHED, LATCHED_HISTORY, RELIABLE, create_publisher, create_subscription
from hwm_ros.srv import ResetSimulation

# In lockstep, a frame without a command is published again after this time, with its joint state. A late subscriber, or
# one that lost a message, would otherwise wait forever.
_REPEAT_S = 1.0


class SimRobotParameters(Config):
    """Parameters of the node."""

    seed: int = Field(
        default=2_000_000,
        ge=0,
        le=2**31 - 1,
        description="seed of the first task: scene, start pose and goal",
        json_schema_extra=READ_ONLY,
    )
    task: Literal["look", "reach", "push"] = Field(
        default="reach",
        description="look (neck), reach (right palm), or push (an object with the right arm)",
        json_schema_extra=READ_ONLY,
    )
    camera_size: int = Field(
        default=128,
        ge=16,
        le=1080,
        description="height and width of the images in pixels",
        json_schema_extra=READ_ONLY,
    )
    image_transport: Literal["raw", "compressed"] = Field(
        default="raw",
        description="raw: sensor_msgs/Image; compressed: JPEG CompressedImage on <topic>/compressed",
        json_schema_extra=READ_ONLY,
    )
    lockstep: bool = Field(
        default=False,
        description="true: each step waits for the command of the newest frame; false: real time",
        json_schema_extra=READ_ONLY,
    )
    command_timeout_s: float = Field(
        default=0.5,
        gt=0.0,
        le=10.0,
        description="in real time, the robot stops where it is after so long without a command",
        json_schema_extra=LIVE,
    )


class SimRobotNode(Node):
    """Publishes images, joint states and /clock, and moves by commands.

    A command for frame t first has an effect at frame t + 1, in lockstep and in real time. In real time the robot stops
    by itself when commands cease.
    """

    def __init__(self) -> None:
        super().__init__("sim_robot")
        declare_parameters(self, SimRobotParameters)
        self._settings = read_parameters(self, SimRobotParameters)
        watch_parameters(self, SimRobotParameters, lambda: "", self._apply)
        self._commanded_s: float | None = None  # steady time of the newest command; None: the robot has stopped
        self._session = SimSession(self._settings.seed, self._settings.camera_size, self._settings.task)
        raw = self._settings.image_transport == "raw"
        kind, suffix = (Image, "") if raw else (CompressedImage, "/compressed")
        self._images = create_publisher(self, kind, f"head_camera/image_raw{suffix}", RELIABLE)
        self._states = create_publisher(self, JointState, "joint_states", JOINTS_OUT)
        self._sim_time = create_publisher(self, Clock, "/clock", RELIABLE)
        self._goal = create_publisher(self, Image, "~/goal_image", LATCHED)
        self._error = create_publisher(self, Float64, "~/task_error", LATCHED_HISTORY)
        self._distance = create_publisher(self, Float64, "~/palm_distance", LATCHED_HISTORY)
        create_subscription(self, JointState, "joint_commands", self._on_command, JOINTS_OUT)
        self.create_service(ResetSimulation, "~/reset", self._on_reset)
        if self._settings.lockstep:
            self._repeat_timer = self.create_timer(_REPEAT_S, self._repeat, clock=STEADY)
        else:
            self.create_timer(1 / CONTROL_HZ, self._step, clock=STEADY)
        self._publish_start()

    def destroy_node(self) -> None:
        self._session.close()
        super().destroy_node()

    def _publish_start(self) -> None:
        self._goal.publish(convert.image_message(self._session.task.goal_image, self._header()))
        self._publish_joints(self._session.reading())
        self._publish_error()
        self._publish_frame()

    def _on_command(self, message: JointState) -> None:
        stamp_ns = convert.stamp_ns(message.header.stamp)
        if self._settings.lockstep and stamp_ns != self._session.stamp_ns:
            reason = (
                f"Command rejected: its stamp is {stamp_ns / 1e9:.3f} s, expected the stamp of the newest frame, "
                f"{self._session.stamp_ns / 1e9:.3f} s. In lockstep, give each command the stamp of its frame."
            )
            self.get_logger().warning(reason, throttle_duration_sec=5.0)
            return
        try:
            self._session.command(message.name, message.position)
        except BadInput as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self._commanded_s = time.monotonic()
        if self._settings.lockstep:
            self._repeat_timer.reset()
            self._step()

    def _on_reset(
        self, request: ResetSimulation.Request, response: ResetSimulation.Response
    ) -> ResetSimulation.Response:
        try:
            self._session.reset(request.seed)
        except Exception as error:
            response.error_code, response.error_msg = error_code(error), error_text(error)
            return response
        self._publish_start()
        response.goal = convert.image_message(self._session.task.goal_image, self._header())
        reach = self._settings.task == "reach"
        response.palm_distance_m = self._session.task_error if reach else float("nan")
        return response

    def _apply(self, settings: SimRobotParameters) -> None:
        self._settings = settings

    def _step(self) -> None:
        waited_s = 0.0 if self._commanded_s is None else time.monotonic() - self._commanded_s
        if waited_s > self._settings.command_timeout_s and not self._settings.lockstep:
            self._commanded_s = None
            self._session.hold()
        for reading in self._session.advance():
            self._publish_joints(reading)
        self._publish_error()
        self._publish_frame()

    def _publish_joints(self, reading: JointReading) -> None:
        message = convert.joint_message(reading.names, reading.positions, convert.header(reading.time_ns))
        message.velocity = array("d", reading.velocities)
        self._states.publish(message)

    def _repeat(self) -> None:
        self._publish_joints(self._session.reading())
        self._publish_frame()

    def _publish_error(self) -> None:
        error = Float64(data=self._session.task_error)
        self._error.publish(error)
        if self._settings.task == "reach":
            self._distance.publish(error)

    def _publish_frame(self) -> None:
        self._sim_time.publish(Clock(clock=convert.time_of(self._session.stamp_ns)))
        frame = self._session.frame()
        if self._settings.image_transport == "raw":
            self._images.publish(convert.image_message(frame, self._header()))
        else:
            data = array("B", encode_image(frame, "jpeg"))
            self._images.publish(CompressedImage(header=self._header(), format="jpeg", data=data))

    def _header(self) -> Header:
        return convert.header(self._session.stamp_ns, CAMERA_FRAME)


def main() -> None:
    """Entry point of the executable `sim_robot`."""
    run(SimRobotNode)
