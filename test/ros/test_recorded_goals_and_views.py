"""The world_model node in a process of its own: goals from recordings, and what a person looks at. Real DDS."""

import json
import math
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ErrorCode, SearchCosts
from hwm_ros.srv import MakePlan, ResetContext, SetGoalFromRecording
from ros_robot import FRAME_NS, GOAL, START_NS, camera_image, robot_of
from sensor_msgs.msg import CompressedImage

from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_ros import convert
from hwm_ros.foxglove_layout import in_namespace

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).parents[2] / "config"
CAMERA = "/head_camera/image_raw"


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("node")
    parameters = {"film_rate_hz": 5.0, "search__proposals": 8, "search__refinements": 1}
    with robot_of(folder, save_untrained(folder / "checkpoint"), **parameters) as peer:
        peer.fill()
        yield peer


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """Frame t is a grey image of the value 20 t, at START_NS + t periods; another topic has wide images."""
    path = tmp_path_factory.mktemp("bags") / "run"
    with BagWriter(path) as writer:
        for t in range(10):
            stamp_ns = START_NS + t * FRAME_NS
            writer.write_image(CAMERA, stamp_ns, np.full((32, 32, 3), 20 * t, np.uint8), received_ns=stamp_ns)
            writer.write_image("/wide", stamp_ns, np.zeros((16, 64, 3), np.uint8), received_ns=stamp_ns)
    return path


def set_goal(robot, bag, stamp_ns: int = 0, topic: str = "") -> SetGoalFromRecording.Response:
    request = SetGoalFromRecording.Request(bag=str(bag), stamp=convert.time_of(stamp_ns), image_topic=topic)
    return robot.call(SetGoalFromRecording, "/world_model/set_goal_from_recording", request)


def plan(robot, **request) -> MakePlan.Response:
    return robot.call(MakePlan, "/world_model/plan", MakePlan.Request(**request))


def test_a_frame_of_a_bag_becomes_the_goal(robot, bag):
    answer = set_goal(robot, bag, START_NS + 4 * FRAME_NS + 1000)
    assert (answer.error_code, answer.error_msg) == (ErrorCode.NONE, "")
    assert convert.stamp_ns(answer.goal.header.stamp) == START_NS + 4 * FRAME_NS
    assert (decode_image(answer.goal) == 80).all() and (answer.goal.height, answer.goal.width) == (16, 16)
    assert answer.cost_of_holding > 0.1
    assert plan(robot, goal_version=answer.goal_version).error_code == ErrorCode.NONE


def test_without_a_stamp_the_last_frame_is_the_goal(robot, bag):
    assert (decode_image(set_goal(robot, bag).goal) == 180).all()


def test_what_the_camera_shows_now_becomes_the_goal(robot):
    status = robot.tick()
    answer = set_goal(robot, "now")
    assert (answer.error_code, answer.goal.header.stamp) == (ErrorCode.NONE, status.header.stamp)
    assert math.isnan(answer.cost_of_holding)
    assert plan(robot, goal_version=answer.goal_version).source == "hold", "the robot is still there"


@pytest.mark.parametrize(
    ("request_of", "code", "reason"),
    [
        (lambda bag: ("", 0, ""), ErrorCode.BAD_REQUEST, "the path of a bag, or `now`"),
        (lambda bag: (bag / "absent", 0, ""), ErrorCode.BAD_RECORDING, "nothing there"),
        (lambda bag: (Path(__file__), 0, ""), ErrorCode.BAD_RECORDING, "rosbag2"),
        (lambda bag: (bag, 10**9, ""), ErrorCode.BAD_RECORDING, "10 images from 5.000 to 5.300 s"),
        (lambda bag: (bag, 0, "/wrist"), ErrorCode.BAD_RECORDING, "no such topic"),
        (lambda bag: (bag, 0, "/wide"), ErrorCode.BAD_IMAGE, "aspect"),
    ],
)
def test_a_recording_that_gives_no_goal_is_answered_with_the_reason_and_the_goal_stays(
    robot, bag, request_of, code, reason
):
    before = set_goal(robot, bag).goal_version
    answer = set_goal(robot, *request_of(bag))
    assert answer.error_code == code and reason in answer.error_msg, answer.error_msg
    assert answer.goal_version == 0 and len(answer.goal.data) == 0
    assert plan(robot, goal_version=before).error_code == ErrorCode.NONE


def test_a_goal_that_the_robot_fulfils_already_is_rejected(robot, tmp_path):
    shown = camera_image(robot.stamp_ns)
    robot.tick(shown)
    with BagWriter(tmp_path / "run") as writer:
        writer.write_image(CAMERA, robot.stamp_ns, decode_image(shown), received_ns=robot.stamp_ns)
    answer = set_goal(robot, tmp_path / "run")
    assert answer.error_code == ErrorCode.FULFILLED and "move the robot away" in answer.error_msg


def test_without_a_context_a_goal_has_no_scene_to_start_from(robot, bag):
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    assert {set_goal(robot, what).error_code for what in ("now", bag)} == {ErrorCode.NO_CONTEXT}
    robot.fill()


def test_the_costs_of_a_search_are_published_by_iteration(robot):
    robot.subscribe(SearchCosts, "/world_model/search_costs")
    robot.until(lambda: robot.node.count_publishers("/world_model/search_costs"), "the publisher")
    robot.until(lambda: plan(robot, goal=GOAL) and robot.received["/world_model/search_costs"], "the costs")
    made = plan(robot, goal=GOAL)
    stamp = made.plan.header.stamp
    costs = robot.newest("/world_model/search_costs", lambda m: m.header.stamp == stamp and m.cost == made.cost)
    count, terms = len(costs.iterations), len(costs.term_names)
    assert count > 1 and costs.iterations[0].startswith("hold") and "goal_changes" in costs.term_names
    assert sum(costs.candidates) == made.futures and (costs.source, costs.cost) == (made.source, made.cost)
    for field in ("term_min", "term_mean", "term_max", "term_of_best"):
        assert len(getattr(costs, field)) == count * terms
    best = np.asarray(costs.term_of_best).reshape(count, terms).sum(axis=1)
    np.testing.assert_allclose(best, costs.cost_min, rtol=1e-5)
    assert (np.asarray(costs.cost_min) <= costs.cost_mean).all()


def test_the_film_of_a_plan_shows_its_predicted_frames_in_order(robot):
    robot.subscribe(CompressedImage, "/world_model/plan_film/compressed", 50)
    made = plan(robot, goal=GOAL)
    first_ns = convert.stamp_ns(made.plan.header.stamp) + FRAME_NS
    topic = "/world_model/plan_film/compressed"
    frames = robot.received[topic]

    def film() -> list[int]:
        """Stamps of the newest film: the one of a plan before ends where it begins."""
        stamps = [convert.stamp_ns(image.header.stamp) for image in frames]
        starts = [number for number, stamp in enumerate(stamps) if abs(stamp - first_ns) < FRAME_NS / 2]
        return stamps[starts[-1] :] if starts else []

    robot.until(lambda: len(film()) >= 4, "four frames of a film")
    assert set(np.diff(film()[:4])) <= {FRAME_NS, FRAME_NS + 1}, "one frame of the model after the other"
    assert decode_image(frames[0]).shape == (16, 16, 3)
    assert (frames[0].format, frames[0].header.frame_id) == ("jpeg", "camera")


def topics_of(value) -> set[str]:
    """The names of topics in a layout."""
    if isinstance(value, dict):
        named = {text.partition(".")[0] for key, text in value.items() if key in NAMING and isinstance(text, str)}
        return named.union(*map(topics_of, value.values()))
    return set().union(*map(topics_of, value)) if isinstance(value, list) else set()


NAMING = ("imageTopic", "topicToRender", "value", "Value")


def test_the_layouts_name_only_topics_that_the_nodes_have(robot):
    known = {name for name, _ in robot.node.get_topic_names_and_types()}
    known |= {"/sim_robot/goal_image", "/sim_robot/palm_distance"}
    foxglove = topics_of(json.loads((CONFIG / "world_model.foxglove.json").read_text()))
    rviz = topics_of(yaml.safe_load((CONFIG / "world_model.rviz").read_text()))
    assert len(foxglove) > 5 and foxglove <= known, foxglove - known
    assert len(rviz) > 2 and {f"/{name}" for name in rviz} <= known, "relative names, which follow rviz2's namespace"


def plots_of(value) -> set[str]:
    """The paths of plots in a layout."""
    if isinstance(value, dict):
        return {one["value"] for one in value.get("paths", [])}.union(*map(plots_of, value.values()))
    return set().union(*map(plots_of, value)) if isinstance(value, list) else set()


def test_the_layouts_show_images_and_plot_fields_of_the_types_that_the_nodes_publish(robot):
    types = dict(robot.node.get_topic_names_and_types())
    types |= {"/sim_robot/goal_image": ["sensor_msgs/msg/Image"], "/sim_robot/palm_distance": ["std_msgs/msg/Float64"]}
    layout = json.loads((CONFIG / "world_model.foxglove.json").read_text())
    panels = layout["configById"].values()
    shown = {panel["imageMode"]["imageTopic"] for panel in panels if "imageMode" in panel}
    shown |= {f"/{name}" for name in topics_of(yaml.safe_load((CONFIG / "world_model.rviz").read_text()))}
    for topic in shown:
        kind = "sensor_msgs/msg/CompressedImage" if topic.endswith("/compressed") else "sensor_msgs/msg/Image"
        assert types[topic] == [kind]
    for path in plots_of(layout):
        topic, _, field = path.partition(".")
        package, _, message = types[topic][0].split("/")
        fields = getattr(import_module(f"{package}.msg"), message).get_fields_and_field_types()
        assert fields[field.removesuffix("[:]")].startswith("sequence") == field.endswith("[:]"), path


def test_a_foxglove_layout_follows_a_namespace_but_diagnostics_are_global():
    layout = json.loads((CONFIG / "world_model.foxglove.json").read_text())
    names = topics_of(in_namespace(layout, "/robot1/", image_topic="/robot1/cam"))
    expected = {f"/robot1{name}" for name in topics_of(layout)} - {"/robot1/diagnostics", f"/robot1{CAMERA}"}
    assert names == expected | {"/diagnostics", "/robot1/cam"}
    assert in_namespace(layout, "") == layout
