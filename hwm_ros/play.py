"""Publish the messages of a rosbag2 recording, for machines without `ros2 bag` (the ROS wheels do not contain it).

    hwm play recordings/run_1 --rate 0.5 --clock 100 --loop
    ros2 service call /bag_player/resume std_srvs/srv/Trigger     # after --start-paused, or ~/pause

The services `~/pause` and `~/resume` of the node `bag_player` stop and continue it. With `--clock`, nodes that have
`use_sim_time` follow the recorded time.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from hwm_core.data.rosbag2.bag_file import Connection
from hwm_core.data.rosbag2.reader import SerializedMessage, bag_connections, serialized_messages
from hwm_core.errors import BadConfig
from hwm_ros.convert import time_of
from hwm_ros.qos import LATCHED, PLAYED, RELIABLE

_LONGEST_WAIT_S = 0.02  # between two calls of spin_once, which serve the services
_DELIVERY = Duration(seconds=5.0)  # for the last messages to arrive: acknowledged after 3 s at most


class Playhead:
    """The recorded time that is played now: follows a steady clock times `rate`, and stops while paused.

    Args:
        rate: recorded seconds per second.
        now_s: a steady clock.
    """

    def __init__(self, rate: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._now_s = rate, now_s
        self._played_s, self._since_s = 0.0, now_s()
        self.paused = False

    def restart(self) -> None:
        """Go back to the start of the recording."""
        self._played_s, self._since_s = 0.0, self._now_s()

    def pause(self) -> None:
        """Stop the recorded time where it is."""
        self._played_s, self.paused = self.played_s, True

    def resume(self) -> None:
        """Go on from where the recorded time was stopped."""
        self._since_s, self.paused = self._now_s(), False

    @property
    def played_s(self) -> float:
        """Seconds since the first message of the recording."""
        return self._played_s if self.paused else self._played_s + (self._now_s() - self._since_s) * self.rate


@dataclass(frozen=True)
class PlayOptions:
    """How a bag is played.

    Attributes:
        rate: recorded seconds per second.
        loop: start again at the end, until stopped.
        clock_hz: rate of /clock; None: no clock.
        start_paused: wait for the service `~/resume`.
        topics: topics to publish; None: all.
        wait_s: the longest time to wait, before the first message, until every topic has a subscription.
    """

    rate: float = 1.0
    loop: bool = False
    clock_hz: float | None = None
    start_paused: bool = False
    topics: tuple[str, ...] | None = None
    wait_s: float = 1.0


class BagPlayer(Node):
    """Publishes messages when they are due; single-threaded: `play` spins the node between two messages."""

    def __init__(self, options: PlayOptions) -> None:
        super().__init__("bag_player")
        self._options, self._publishers_of = options, dict[str, Publisher | None]()
        self._playhead = Playhead(options.rate)
        self._first_ns = 0
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.create_service(Trigger, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/resume", self._on_resume)
        self._clock_publisher = self.create_publisher(Clock, "/clock", RELIABLE) if options.clock_hz else None
        self._next_tick_s = 0.0

    def play(self, topics: Iterable[Connection], messages: Callable[[], Iterator[SerializedMessage]]) -> int:
        """Publish all messages, repeatedly with `loop`; returns the number of published messages.

        Args:
            topics: their publishers are created before the first message, so that subscriptions find them.
            messages: in order of their times.
        """
        count = 0
        for topic in topics:
            self._publisher(topic)
        if self._options.start_paused:
            self._playhead.pause()
        self._wait_for_subscriptions()
        while rclpy.ok():
            for number, message in enumerate(messages()):
                if number == 0:
                    self._first_ns = message.received_ns
                    self._playhead.restart()
                self._wait_until((message.received_ns - self._first_ns) / 1e9)
                publisher = self._publisher(message)
                if publisher is not None:
                    publisher.publish(message.data)
                    count += 1
            if not self._options.loop:
                break
        for publisher in self._played:
            publisher.wait_for_all_acked(_DELIVERY)  # with the node, messages on their way would be lost
        return count

    @property
    def _played(self) -> list[Publisher]:
        return [publisher for publisher in self._publishers_of.values() if publisher is not None]

    def _wait_for_subscriptions(self) -> None:
        """Serve requests until every topic has a subscription, which DDS takes a moment to find, or the wait ends."""
        deadline_s = time.monotonic() + self._options.wait_s
        while rclpy.ok() and not all(publisher.get_subscription_count() for publisher in self._played):
            if time.monotonic() >= deadline_s:
                return
            self._executor.spin_once(timeout_sec=_LONGEST_WAIT_S)

    def _wait_until(self, due_s: float) -> None:
        while rclpy.ok():
            self._tick()
            left_s = (due_s - self._playhead.played_s) / self._options.rate
            if left_s <= 0 and not self._playhead.paused:
                return
            wait_s = _LONGEST_WAIT_S if self._playhead.paused else min(left_s, _LONGEST_WAIT_S)
            self._executor.spin_once(timeout_sec=wait_s)

    def _tick(self) -> None:
        """Publish the recorded time when its next tick is due."""
        now_s = time.monotonic()
        if self._clock_publisher is not None and now_s >= self._next_tick_s:
            self._next_tick_s = now_s + 1 / (self._options.clock_hz or 1)
            self._clock_publisher.publish(Clock(clock=time_of(self._first_ns + round(self._playhead.played_s * 1e9))))

    def _publisher(self, message: SerializedMessage | Connection) -> Publisher | None:
        """The publisher of the message's topic; None if the topic is left out or its type is not installed."""
        topic, chosen = message.topic, self._options.topics
        if topic not in self._publishers_of:
            kind = message_class(message.message_type)
            if chosen is not None and topic not in chosen:
                kind = None
            elif kind is None:
                self.get_logger().warning(f"{topic} is skipped: {message.message_type} is not installed here.")
            profile = LATCHED if message.latched else PLAYED
            if kind is not None:
                self.get_logger().info(f"Publishing {topic}")
            self._publishers_of[topic] = None if kind is None else self.create_publisher(kind, topic, profile)
        return self._publishers_of[topic]

    def _on_pause(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._playhead.pause()
        response.success, response.message = True, f"paused at {self._playhead.played_s:.2f} s"
        return response

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._playhead.resume()
        response.success, response.message = True, f"playing from {self._playhead.played_s:.2f} s"
        return response


def message_class(kind: str) -> type | None:
    """The class of a message type such as `sensor_msgs/msg/Image`; None if it is not installed."""
    package, _, name = kind.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        return None


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=Path, help="rosbag2 folder, or one .mcap or .db3 file")
    parser.add_argument("--rate", type=float, default=1.0, help="recorded seconds per second (%(default)s)")
    parser.add_argument("--loop", action="store_true", help="start again at the end, until stopped")
    parser.add_argument("--clock", type=float, metavar="HZ", help="publish the recorded time on /clock at this rate")
    parser.add_argument("--start-paused", action="store_true", help="wait for the service ~/resume")
    parser.add_argument("--topics", nargs="+", help="topics to publish (default: all)")
    parser.add_argument(
        "--wait",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="before the first message, wait up to this long until every topic has a subscription (%(default)s)",
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Play the bag; returns 0. Raises BadBag for a damaged bag and BadConfig for a rate or a wait out of range."""
    for name, value in (("--rate", options.rate), ("--clock", 1.0 if options.clock is None else options.clock)):
        if not value > 0:
            raise BadConfig(name, expected="a number above 0", got=value, remedy="Use for example 1.0.")
    if not options.wait >= 0:
        raise BadConfig("--wait", expected="0 or more seconds", got=options.wait, remedy="Use 0 to start at once.")
    next(serialized_messages(options.bag), None)  # a damaged bag is rejected before a topic appears
    topics = tuple(options.topics) if options.topics else None
    chosen = PlayOptions(options.rate, options.loop, options.clock, options.start_paused, topics, options.wait)
    rclpy.init()
    player = BagPlayer(chosen)
    try:
        count = player.play(bag_connections(options.bag), lambda: serialized_messages(options.bag))
        player.get_logger().info(f"{count} messages published")
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise Ctrl-C has ended ROS between two messages
            raise
    finally:
        player.destroy_node()
        rclpy.try_shutdown()
    return 0
