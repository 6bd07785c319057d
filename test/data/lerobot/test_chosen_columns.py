"""Which columns of a LeRobot dataset are the joint values, where a user chooses them or names differ."""

import json
import re

import cv2
import numpy as np
import pyarrow
import pytest
import yaml
from command import hwm
from lerobot_sets import change_features, change_info, plain_set, states, with_column
from recordings import NAMES, PREPROCESSING

from hwm_core.data.episodes.store import open_store
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.joint_columns import ColumnChoice
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.tables import read_joints
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.errors import BadBag

HEAD = "observation.images.head"


@pytest.fixture
def folder(tmp_path):
    """A dataset of the episodes 0 and 1, of 20 rows."""
    return plain_set(tmp_path / "set")


def add(folder, name, width, names=None, scale=1.0):
    """A column whose row t is scale * (t, t + 1, ...)."""
    change_features(folder, **{name: {"dtype": "float32", "shape": [width], "names": names}})
    for number in (0, 1):
        values = scale * (np.arange(20.0)[:, None] + np.arange(width))
        with_column(folder, number, name, values.tolist())


def agibot(folder):
    """Columns as AgiBot names them, in place of LeRobot's own."""
    change_features(folder, **{"observation.state": None, "action": None})
    add(folder, "observation.states.joint.position", 2, ["left", "right"])
    add(folder, "observation.states.effector.position", 1, ["grip"], 100)
    add(folder, "observation.states.end.orientation", 4)
    add(folder, "actions.joint.position", 2, ["left", "right"], 2)
    add(folder, "actions.effector.position", 1, ["grip"], 200)


def test_chosen_columns_are_joined_in_the_order_of_the_choice(folder):
    agibot(folder)
    choice = ColumnChoice(("observation.states.effector.*", "observation.states.joint.*"), ("actions.*",))
    dataset = open_lerobot(folder, choice)
    assert dataset.state_names == ("grip", "left", "right") and dataset.command_names == ("left", "right", "grip")
    joints = read_joints(dataset, 1)
    assert joints.states[3].tolist() == [300, 3, 4] and joints.commands[3].tolist() == [6, 8, 600]
    episode, _ = LeRobotRecording(dataset, 1).read(PREPROCESSING)
    assert episode.names == ("grip", "left", "right") and episode.commands[2].tolist() == [400, 4, 6]


def test_without_lerobots_own_columns_the_columns_there_are_are_listed(folder):
    agibot(folder)
    with pytest.raises(BadBag, match=r"observation\.states\.joint\.position.*--states and --actions"):
        open_lerobot(folder)


def test_the_commands_take_the_choice_of_columns(folder, tmp_path, capsys):
    agibot(folder)
    words = ("--states", "observation.states.joint.*", "--actions", "actions.joint.position")
    assert hwm("inspect", folder, *words) == 0
    assert "--states 'observation.states.joint.*' --actions actions.joint.position" in capsys.readouterr().out
    store = tmp_path / "store"
    assert hwm("prepare", folder, "--robot", "r", "--size", 12, "--validation-nth", 2, "--out", store, *words) == 0
    assert open_store(store).training[0].names == ("left", "right")
    assert hwm("prepare", folder, "--robot", "r", "--size", 12, "--validation-nth", 2, "--out", tmp_path / "no") == 2


def test_a_conversion_of_chosen_columns_has_only_these(folder, tmp_path):
    agibot(folder)
    words = ("--states", "observation.states.joint.*", "--actions", "actions.joint.position")
    for version in ("v2.1", "v3.0"):
        out = tmp_path / version
        assert hwm("convert", folder, *words, "--to", f"lerobot-{version}", "--codec", "lossless", "--out", out) == 0
        assert hwm("convert", folder, *words, "--to", f"lerobot-{version}", "--out", tmp_path / f"{version} again") == 0
        dataset = open_lerobot(out)
        assert dataset.state_names == dataset.command_names == ("left", "right")
        assert read_joints(dataset, 1).commands[3].tolist() == [6, 8]


def test_a_chosen_column_that_is_absent_is_rejected_with_the_most_similar_one(folder):
    agibot(folder)
    with pytest.raises(BadBag, match=r"--states.*got `observation\.states\.joints`.*Did you mean"):
        open_lerobot(folder, ColumnChoice(("observation.states.joints",)))
    with pytest.raises(BadBag, match="--actions"):
        open_lerobot(folder, ColumnChoice(("observation.states.*",), (HEAD,)))  # a camera is no column of numbers


def test_columns_without_names_are_named_after_what_differs_in_their_names(folder):
    agibot(folder)
    choice = ColumnChoice(("observation.states.end.orientation", "observation.states.joint.position"))
    names = ("end.orientation_0", "end.orientation_1", "end.orientation_2", "end.orientation_3", "left", "right")
    assert open_lerobot(folder, choice).state_names == names


def test_names_that_two_columns_share_get_the_column_as_a_prefix(folder):
    agibot(folder)
    add(folder, "observation.states.joint.velocity", 2, ["left", "right"])
    names = open_lerobot(folder, ColumnChoice(("observation.states.joint.*",))).state_names
    assert names == ("position_left", "position_right", "velocity_left", "velocity_right")


def modality(folder, **groups):
    described = {name: {"start": first, "end": end} for name, (first, end) in groups.items()}
    (folder / "meta/modality.json").write_text(json.dumps({"state": described, "action": described, "video": {}}))


def test_groups_of_modality_json_can_be_chosen_and_name_values_without_names(folder):
    modality(folder, arm=(0, 2), hand=(2, 3))
    chosen = open_lerobot(folder, ColumnChoice(("hand",), ("arm",)))
    assert (chosen.state_names, chosen.command_names) == (("wrist",), ("neck", "elbow"))
    assert read_joints(chosen, 0).states[:, 0].tolist() == states()[:, 2].tolist()
    unnamed = {"dtype": "float32", "shape": [3], "names": None}
    change_features(folder, **{"observation.state": unnamed, "action": unnamed})
    assert open_lerobot(folder).state_names == ("arm_0", "arm_1", "hand_0")
    modality(folder, arm=(0, 2))  # does not cover the column
    assert open_lerobot(folder).state_names == ("joint_0", "joint_1", "joint_2")


@pytest.mark.parametrize(
    "damage", ["{", '{"state": {"arm": {"start": -1}}}', '{"state": {"arm": {"start": 0, "end": 9}}}']
)
def test_a_damaged_modality_json_matters_only_where_its_groups_are_chosen(folder, damage):
    (folder / "meta/modality.json").write_text(damage)
    assert open_lerobot(folder).state_names == NAMES
    with pytest.raises(BadBag, match=r"modality\.json|expected 3 numbers|got `hand`"):
        read_joints(open_lerobot(folder, ColumnChoice(("arm",) if "9" in damage else ("hand",))), 0)


def test_actions_of_other_joints_than_the_states_have_a_manifest_of_their_own(folder, tmp_path, capsys):
    add(folder, "action", 4, ["x", "y", "z", "wrist"])
    store = tmp_path / "store"
    assert hwm("verify", folder) == 0
    assert hwm("prepare", folder, "--robot", "r", "--size", 12, "--validation-nth", 2, "--out", store) == 0
    episode = open_store(store).training[0]
    assert episode.names == (*NAMES, "x", "y", "z")
    assert episode.states[4].tolist()[:3] == [5, 50, -5] and np.isnan(episode.states[:, 3:]).all()
    assert episode.commands[4].tolist()[2:] == [7, 4, 5, 6] and np.isnan(episode.commands[:, :2]).all()
    named = {kind: yaml.safe_load((store / f"{kind}.yaml").read_text())["names"] for kind in ("states", "commands")}
    assert named == {"states": [*NAMES], "commands": ["wrist", "x", "y", "z"]}
    commands = open_store(store).manifests["commands"]
    assert commands.actions_of(episode)[4].tolist() == [7, 4, 5, 6]
    assert hwm("statistics", folder, "--robot", "r") == 0 and "4" in capsys.readouterr().out


def pictures(folder, form):
    """Pictures in the tables in place of the video; frame t has the grey value 10 t."""
    change_features(
        folder, **{HEAD: {"dtype": "image", "shape": [24, 32, 3], "names": ["height", "width", "channels"]}}
    )
    (folder / "frames").mkdir()
    for number in (0, 1):
        values = []
        for t in range(20):
            rgb = np.full((24, 32, 3), (10 * t, 0, 50), np.uint8)
            data = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
            (folder / f"frames/{t}.png").write_bytes(data)
            values.append(
                {
                    "bytes": {"bytes": data, "path": f"{t}.png"},
                    "path": {"bytes": None, "path": f"frames/{t}.png"},
                    "binary": data,
                    "numbers": rgb.tolist(),
                    "channels first": rgb.transpose(2, 0, 1).tolist(),
                }[form]
            )
        with_column(folder, number, HEAD, values)
    for video in folder.rglob("*.mp4"):
        video.unlink()


@pytest.mark.parametrize("form", ["bytes", "path", "binary", "numbers", "channels first"])
def test_pictures_in_tables_are_read_in_every_form(folder, form):
    pictures(folder, form)
    episode, report = LeRobotRecording(open_lerobot(folder), 1).read(PREPROCESSING)
    assert report.bad == 0 and episode.frames[:, 6, 6].tolist() == [[10 * t, 0, 50] for t in range(1, 20)]


def test_pictures_in_tables_survive_a_conversion_of_the_version_and_become_a_video_otherwise(folder, tmp_path):
    pictures(folder, "bytes")
    assert convert_version(folder, tmp_path / "new", "v3.0").left_out == []
    episode, _ = LeRobotRecording(open_lerobot(tmp_path / "new"), 1).read(PREPROCESSING)
    assert episode.frames[:, 6, 6, 0].tolist() == [10 * t for t in range(1, 20)]
    assert hwm("convert", folder, "--to", "lerobot-v3.0", "--codec", "lossless", "--out", tmp_path / "encoded") == 0
    assert open_lerobot(tmp_path / "encoded").video_keys == (HEAD,)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "got nothing"),
        ({"bytes": b"\x89PNG", "path": None}, "whole jpeg or png"),
        ({"bytes": None, "path": "../../secret.png"}, r"the path of a file in the dataset, got `\.\./\.\./secret.png`"),
        ({"bytes": cv2.imencode(".png", np.full((24, 32), 500, np.uint16))[1].tobytes(), "path": None}, "depth"),
    ],
)
def test_a_bad_picture_costs_one_frame_and_is_reported(folder, bad, message):
    pictures(folder, "bytes")
    stored = [{"bytes": (folder / f"frames/{t}.png").read_bytes(), "path": ""} for t in range(20)]
    stored[7] = bad
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    with_column(folder, 0, HEAD, pyarrow.array(stored, kind))
    episode, report = LeRobotRecording(open_lerobot(folder), 0).read(PREPROCESSING)
    assert report.bad == 1 and 70 not in episode.frames[:, 6, 6, 0]
    assert re.search(message, report.first_fault)


def test_info_may_state_both_videos_and_pictures(folder):
    change_info(folder, fps=30)
    add_picture = {"dtype": "image", "shape": [24, 32, 3], "names": None}
    change_features(folder, **{"observation.images.hand": add_picture})
    for number in (0, 1):
        data = cv2.imencode(".png", np.zeros((24, 32, 3), np.uint8))[1].tobytes()
        with_column(folder, number, "observation.images.hand", [{"bytes": data}] * 20)
    with pytest.raises(BadBag, match=r"one camera to be chosen.*images\.hand, observation\.images\.head"):
        LeRobotRecording(open_lerobot(folder), 0).read(PREPROCESSING)
    episode, _ = LeRobotRecording(open_lerobot(folder), 0, "observation.images.hand").read(PREPROCESSING)
    assert not episode.frames.any()
