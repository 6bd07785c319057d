"""A robot in the test process that publishes in real time, and whose messages can be made wrong while it runs."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hwm_ros.msg import ActionScores, ContextStatus, ErrorCode
from hwm_ros.srv import ScoreActions
from rclpy.node import Node
from ros_harness import Peer, process
from ros_robot import GOAL, some_candidates
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Empty
from untrained import JOINTS

from hwm_ros import convert

PERIOD_S = 1 / 30
STATUS, DIAGNOSTICS, SCORES = "/world_model/context_status", "/diagnostics", "/world_model/scores"


class LiveRobot(Peer):
    """Publishes images and joint states at 30 Hz, for a model of states.

    Stamps advance by one period from message to message, also where a busy machine delays them: a pause of the test
    process is no gap in its camera.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image = self.node.create_publisher(Image, "/head_camera/image_raw", 10)
        self.states = self.node.create_publisher(JointState, "/joint_states", 50)
        self.cut = self.node.create_publisher(Empty, "/recording/cut", 10)
        for kind, topic in ((ContextStatus, STATUS), (DiagnosticArray, DIAGNOSTICS), (ActionScores, SCORES)):
            self.subscribe(kind, topic)
        self.log = Path()
        self._count, self._now_ns = 0, 0
        self.be_plain()
        self.node.create_timer(PERIOD_S, self._tick)

    def be_plain(self) -> None:
        """Publish good messages, whatever the fault before was."""
        self._now_ns = max(self._now_ns, time.time_ns())
        self.offset_s = 0.0  # of all stamps
        self.size = 32  # of the images in pixels
        self.image_fields: dict[str, Any] = {}  # fields of the images that differ
        self.joint_fields: dict[str, Any] = {}  # and of the joint states
        self.every = {"camera": 1, "joints": 1}  # one message in so many periods; 0: none
        self.late: set[str] = set()  # streams whose next message is 150 ms late

    def stamp_ns(self) -> int:
        """The robot's time now."""
        return max(1, self._now_ns + round(1e9 * self.offset_s))

    def _tick(self) -> None:
        self._count += 1
        self._now_ns += round(1e9 * PERIOD_S)
        now_ns = self.stamp_ns()
        if (every := self.every["joints"]) and self._count % every == 0:
            state = convert.joint_message(JOINTS, np.zeros(3), self._header("joints", now_ns))
            self.states.publish(_changed(state, self.joint_fields))
        if (every := self.every["camera"]) and self._count % every == 0:
            # Every image differs: the node skips images that it has just seen.
            grey = np.full((self.size, self.size, 3), self._count % 250, np.uint8)
            image = convert.image_message(grey, self._header("camera", now_ns))
            self.image.publish(_changed(image, self.image_fields))

    def _header(self, stream: str, now_ns: int) -> Any:
        late = stream in self.late
        self.late.discard(stream)
        return convert.header(now_ns - 150_000_000 * late, "camera")

    # ---------------------------------------------------------------- answers

    def forget(self) -> None:
        """From now on `status` and `report` only tell of what comes."""
        for topic in (STATUS, DIAGNOSTICS, SCORES):
            self.received[topic].clear()

    def status(self, condition: Callable[[ContextStatus], object] = lambda _: True) -> ContextStatus:
        """The newest status that meets the condition."""
        return self.newest(STATUS, condition)

    def report(self, *words: str) -> str:
        """The message of a diagnostics status that has all these words, or one of its findings."""

        def texts(message: DiagnosticArray) -> list[str]:
            return [text for one in message.status for text in (one.message, *(value.value for value in one.values))]

        def has(message: DiagnosticArray) -> bool:
            return any(all(word in text for word in words) for text in texts(message))

        return next(text for text in texts(self.newest(DIAGNOSTICS, has)) if all(word in text for word in words))

    def score(self, **changes: Any) -> ActionScores:
        """The answer of `score_actions` to four good candidates, or to these fields of the request."""
        request = ScoreActions.Request(**{"candidates": some_candidates(), "goal": GOAL, **changes})
        return self.call(ScoreActions, "/world_model/score_actions", request).scores

    @contextmanager
    def other_node(self, name: str) -> Iterator[Node]:
        """A node of its own participant."""
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node(name, context=context)
        try:
            yield node
        finally:
            node.destroy_node()
            rclpy.try_shutdown(context=context)

    def recover(self) -> float:
        """Publish good messages; seconds until the context is ready with a new frame, and candidates are scored."""
        began = time.monotonic()
        self.be_plain()
        self.forget()
        began_ns = self.stamp_ns()
        self.status(lambda s: s.ready and convert.stamp_ns(s.image_stamp) > began_ns)
        ready_s, answers = time.monotonic() - began, Counter[str]()
        while (scores := self.score()).error_code != ErrorCode.NONE:  # the newest frame may lack its joint state
            answers[scores.error_msg] += 1
            assert sum(answers.values()) < 1000, answers
        if (seconds := time.monotonic() - began) > 5.0:
            print(f"Slow recovery: ready after {ready_s:.1f} s, scored after {seconds:.1f} s, answers {answers}")
        return seconds


def _changed(message: Any, fields: dict[str, Any]) -> Any:
    for field, value in fields.items():
        if field == "stamp":
            message.header.stamp = value
        elif field == "frame_id":
            message.header.frame_id = value
        else:
            setattr(message, field, value)
    return message


@contextmanager
def live_robot(folder: Path, checkpoint: Path, **parameters: object) -> Iterator[LiveRobot]:
    """The robot of an active world_model node in a process of its own, whose context is ready."""
    robot = LiveRobot()
    robot.log = folder / "log.txt"
    try:
        with process("world_model", robot.log, checkpoint=checkpoint, dtype="float32", **parameters):
            robot.recover()
            yield robot
    finally:
        robot.close()
