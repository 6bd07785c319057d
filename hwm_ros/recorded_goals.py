"""The service ~/set_goal_from_recording: the goal image is a frame of a bag, or what the camera shows now."""

import math
from collections.abc import Callable
from concurrent.futures import Future as Job
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from hwm_core.data.recording.events import CameraFrame
from hwm_core.data.rosbag2.frame_at import frame_at
from hwm_core.errors import BadConfig
from hwm_core.live.requests import Busy
from hwm_ros import convert
from hwm_ros.error_codes import Fulfilled, error_code, error_text
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.model_server import ModelServer
from hwm_ros.msg import ErrorCode
from hwm_ros.node import on_executor
from hwm_ros.qos import REQUESTS
from hwm_ros.srv import SetGoalFromRecording

_NOW = "now"
_CAMERA = "head_camera/image_raw"


class RecordedGoals:
    """Offers the service. A thread reads the bag, so that the node receives images meanwhile; one bag at a time.

    Args:
        node: offers it.
        model: compares the goal with its newest context, and keeps it.
        on_fault: called with every error that is a fault of this package.
    """

    def __init__(self, node: Node, model: LifecycleModel, on_fault: Callable[[Exception], None]) -> None:
        self._node, self._model, self._on_fault = node, model, on_fault
        self._reading = self._closed = False
        name, group = "~/set_goal_from_recording", ReentrantCallbackGroup()
        node.create_service(SetGoalFromRecording, name, self._on_request, qos_profile=REQUESTS, callback_group=group)

    def close(self) -> None:
        """End a running reading."""
        self._closed = True

    async def _on_request(
        self, request: SetGoalFromRecording.Request, response: SetGoalFromRecording.Response
    ) -> SetGoalFromRecording.Response:
        try:
            server = self._model.active()
            if request.bag == _NOW:
                await self._take_the_newest(server, response)
            else:
                await self._take_recorded(server, request, response)
        except Exception as error:
            response.error_code, response.error_msg = error_code(error), error_text(error)
            if response.error_code == ErrorCode.INTERNAL:
                self._on_fault(error)
        return response

    async def _take_the_newest(self, server: ModelServer, response: SetGoalFromRecording.Response) -> None:
        window = server.context.window()
        response.goal_version = await server.set_goal_frame(window.frames[-1])
        response.goal = convert.image_message(window.frames[-1], convert.header(window.stamp_ns, server.camera_frame))
        response.cost_of_holding = math.nan

    async def _take_recorded(
        self,
        server: ModelServer,
        request: SetGoalFromRecording.Request,
        response: SetGoalFromRecording.Response,
    ) -> None:
        recorded = await self._read(request)
        frame = server.preprocessed(recorded.rgb)
        cost = await server.cost_of_holding(frame)
        if cost <= server.least_gain:
            raise Fulfilled(
                "Goal",
                expected=f"a frame that the robot does not show already: holding still costs more than "
                f"{server.least_gain:g} (`search.least_gain`)",
                got=f"{cost:.3g}",
                remedy="Choose another frame, or move the robot away first.",
            )
        response.goal_version = await server.set_goal_frame(frame)
        response.goal = convert.image_message(frame, convert.header(recorded.stamp_ns, server.camera_frame))
        response.cost_of_holding = cost

    async def _read(self, request: SetGoalFromRecording.Request) -> CameraFrame:
        if not request.bag:
            raise BadConfig(
                "bag", expected=f"the path of a bag, or `{_NOW}`", got="nothing", remedy="Name a rosbag2 folder."
            )
        if self._reading:
            raise Busy(
                "Recording", expected="one at a time", got="another that is being read", remedy="Try again later."
            )
        topic = request.image_topic or self._node.resolve_topic_name(_CAMERA)
        stamp_ns = convert.stamp_ns(request.stamp)
        self._reading = True
        try:
            job = in_thread(partial(frame_at, Path(request.bag), topic, stamp_ns, lambda: self._closed))
            frame: CameraFrame = await on_executor(self._node, job)
        finally:
            self._reading = False
        return frame


def in_thread(work: Callable[[], Any]) -> Job:
    """Run `work` in a thread that does not keep the process alive."""
    job: Job = Job()

    def run() -> None:
        try:
            job.set_result(work())
        except BaseException as error:
            job.set_exception(error)

    Thread(target=run, name="reads a recording", daemon=True).start()
    return job
