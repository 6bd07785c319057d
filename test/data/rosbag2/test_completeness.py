"""A bag delivers all messages that it says it has, or says which are missing."""

import sqlite3
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow
import pytest
import yaml
from odd_bags import messages_of_run, split_bag, sqlite_with_journal, sqlite_with_wal, write_mcap, write_metadata
from recordings import TOPICS, record, run

from benchmarks.readers.sqlite_bag import as_sqlite3
from hwm_core.data.checks.verification import verify_recording
from hwm_core.data.recording.events import Event, Notice
from hwm_core.data.rosbag2.export import write_rosbag2
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.reader import bag_events, serialized_messages
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.errors import BadActions, BadBag

FULL = {"images": 40, "states": 120, "commands": 40}  # messages of `run()`


@pytest.fixture
def messages(tmp_path):
    return messages_of_run(tmp_path)


def delivered(path):
    return dict(Counter(event.channel for event in bag_events(path, TOPICS) if isinstance(event, Event)))


def notices(path, level="fault"):
    return [one.text for one in bag_events(path, TOPICS) if isinstance(one, Notice) and one.level == level]


def edit_metadata(bag, change):
    path = bag / "metadata.yaml"
    parsed = yaml.safe_load(path.read_text())
    change(parsed["rosbag2_bagfile_information"])
    path.write_text(yaml.safe_dump(parsed))


def test_parts_of_a_split_bag_are_read_whatever_quality_of_service_they_state(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages[:90], messages[90:]])

    def set_qos(inside):
        for topic in inside["topics_with_message_count"]:
            topic["topic_metadata"]["offered_qos_profiles"] = "- history: 1\n  durability: 2\n"

    edit_metadata(bag, set_qos)
    assert delivered(bag) == FULL
    assert notices(bag) == []


@pytest.mark.parametrize("how", ["file", "message", "a decompressed part"])
def test_compressed_bags_are_read(tmp_path, messages, how):
    def packed(data):
        return pyarrow.compress(data, codec="zstd", asbytes=True)

    parts = [messages[:90], messages[90:]]
    if how == "message":
        parts = [[replace(one, data=packed(one.data)) for one in part] for part in parts]
    bag = split_bag(tmp_path / "split", parts)
    if how != "message":
        for part in sorted(bag.glob("*.mcap"))[how != "file" :]:
            part.with_name(part.name + ".zstd").write_bytes(packed(part.read_bytes()))
            part.unlink()
    mode = {"compression_mode": "MESSAGE" if how == "message" else "FILE", "compression_format": "zstd"}
    edit_metadata(bag, lambda inside: inside.update(mode))
    assert delivered(bag) == FULL
    assert notices(bag) == []


def test_a_count_that_metadata_states_and_the_files_lack_is_a_fault_with_both_numbers(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages])

    def claim(inside):
        for topic in inside["topics_with_message_count"]:
            topic["message_count"] += 2 if topic["topic_metadata"]["name"] == TOPICS.image else 0

    edit_metadata(bag, claim)
    assert delivered(bag) == FULL
    (finding,) = [one for one in verify_recording(BagRecording(bag, TOPICS)) if one.level == "fault"]
    assert "40 messages of /head_camera/image_raw" in finding.text and "says 42" in finding.text


def test_a_topic_that_only_metadata_has_is_a_fault(tmp_path, messages):
    kept = [one for one in messages if one.topic != TOPICS.commands]
    bag = split_bag(tmp_path / "split", [kept])
    counts = dict(Counter(one.topic for one in messages))
    write_metadata(bag, ["split_0.mcap"], counts, {one.topic: one.message_type for one in messages})
    assert notices(bag) == [f"0 messages of {TOPICS.commands} can be read, but metadata.yaml says 40"]


def test_a_bag_that_lists_no_files_has_all_files_of_its_folder(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages[:90], messages[90:]])
    write_metadata(bag, [], {}, {})
    assert delivered(bag) == FULL
    assert notices(bag) == ["the files have 200 messages, but metadata.yaml says 0"]


def test_a_part_beside_the_listed_ones_is_a_fault(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages[:90], messages[90:]])
    counts = dict(Counter(one.topic for one in messages[:90]))
    write_metadata(bag, ["split_0.mcap"], counts, {one.topic: one.message_type for one in messages})
    (fault,) = notices(bag)
    assert "split_1.mcap" in fault


def test_a_count_that_the_file_states_and_lacks_is_a_fault_with_both_numbers(tmp_path, messages):
    path = write_mcap(tmp_path / "run.mcap", messages, stated={TOPICS.joint_states: 125})
    assert delivered(path) == FULL
    assert notices(path) == ["120 of 125 messages of /joint_states in run.mcap can be read"]


@pytest.mark.parametrize(
    "options",
    [
        {"index_of": lambda topic: False},
        {"index_of": lambda topic: topic != TOPICS.commands},
        {"index_of": lambda topic: topic == TOPICS.commands},
        {"indexed_chunks": slice(1, None)},
        {"indexed_chunks": slice(0)},
        {"statistics": False},
        {"summary": False},
        {"chunk_messages": 0},
        {"chunk_messages": 1},
        {"profile": ""},
        {"compression": "zstd"},
        {"compression": "lz4"},
    ],
)
def test_an_mcap_file_is_read_to_its_end_whatever_its_index_has(tmp_path, messages, options):
    path = write_mcap(tmp_path / "run.mcap", messages, **options)
    assert delivered(path) == FULL
    assert notices(path) == []
    received = [one.received_ns for one in serialized_messages(path)]
    assert received == sorted(received) and len(received) == 200


def test_messages_of_overlapping_chunks_are_in_order_of_arrival(tmp_path, messages):
    swapped = [*messages[40:60], *messages[:40], *messages[60:]]
    path = write_mcap(tmp_path / "run.mcap", swapped, chunk_messages=20, statistics=False)
    received = [one.received_ns for one in serialized_messages(path)]
    assert received == [one.received_ns for one in messages]


def test_the_newest_messages_are_read_from_a_write_ahead_log_and_nothing_changes_on_disk(tmp_path):
    path = sqlite_with_wal(tmp_path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert set(before) == {"bag.db3", "bag.db3-wal"}
    assert delivered(path) == FULL
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_an_unfinished_write_is_undone_as_sqlite_does_it(tmp_path):
    path = sqlite_with_journal(tmp_path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert set(before) == {"bag.db3", "bag.db3-journal"}
    assert delivered(path) == {"images": 20, "states": 60, "commands": 20}
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_rows_of_a_topic_that_the_database_lacks_are_a_fault(tmp_path):
    path = as_sqlite3(record(tmp_path / "bag", run()), tmp_path / "sqlite") / "sqlite.db3"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET topic_id = 9 WHERE topic_id = 1")
    (fault,) = [*notices(path)]
    assert "connection 9" in fault


def test_a_foreign_topic_is_left_out_and_listed(tmp_path, messages):
    other = [replace(one, topic="/log", message_type="Log", data=b"{}") for one in messages[:5]]
    path = write_mcap(tmp_path / "run.mcap", [*other, *messages], encodings={"/log": "json"})
    assert delivered(path) == FULL
    assert notices(path) == []
    assert notices(path, "note") == ["topic /log is left out: its messages are in json, not in cdr"]
    with pytest.raises(BadBag, match="messages in json"):
        list(bag_events(path, TOPICS.model_copy(update={"image": "/log"})))


def test_foreign_commands_beside_states_are_left_out_and_listed(tmp_path, messages):
    path = write_mcap(tmp_path / "run.mcap", messages, encodings={TOPICS.commands: "json"})
    assert delivered(path) == {"images": FULL["images"], "states": FULL["states"]}
    assert notices(path, "note") == [f"topic {TOPICS.commands} is left out: its messages are in json, not in cdr"]


def test_a_bag_with_only_foreign_joints_is_rejected_with_their_encoding(tmp_path, messages):
    encodings = {TOPICS.commands: "json", TOPICS.joint_states: "json"}
    path = write_mcap(tmp_path / "run.mcap", messages, encodings=encodings)
    with pytest.raises(BadBag, match=rf"Topic {TOPICS.joint_states} .*messages in json"):
        list(bag_events(path, TOPICS))


def test_an_incomplete_bag_is_an_error_where_all_messages_are_wanted(tmp_path, messages):
    path = write_mcap(tmp_path / "run.mcap", messages, stated={TOPICS.joint_states: 125})
    with pytest.raises(BadBag, match="120 of 125"):
        list(serialized_messages(path))


def test_connections_of_one_topic_that_contradict_each_other_are_a_fault(tmp_path, messages):
    types = message_types()
    second = []
    for one in messages:
        if one.topic == TOPICS.joint_states:
            content = types.deserialize_cdr(one.data, one.message_type)
            content.position = np.zeros_like(content.position)
            content.header.stamp.nanosec += 1_000_000
            data = bytes(types.serialize_cdr(content, one.message_type))
            second.append(replace(one, message_type=one.message_type + "#2", data=data))
    agreeing = [
        replace(one, message_type=one.message_type + "#2") for one in messages if one.topic == TOPICS.joint_states
    ]
    path = write_mcap(tmp_path / "run.mcap", sorted([*messages, *second], key=lambda one: one.received_ns))
    (fault,) = [one for one in verify_recording(BagRecording(path, TOPICS)) if one.level == "fault"]
    assert "expected one publisher for each joint" in fault.text
    with pytest.raises(BadActions, match="expected one publisher for each joint"):
        write_rosbag2(bag_events(path, TOPICS), tmp_path / "copy", TOPICS)
    assert not (tmp_path / "copy").exists()
    path = write_mcap(tmp_path / "agreeing.mcap", sorted([*messages, *agreeing], key=lambda one: one.received_ns))
    assert not [one for one in verify_recording(BagRecording(path, TOPICS)) if one.level == "fault"]


def test_images_of_two_publishers_in_turns_are_a_fault_and_a_camera_that_was_started_again_is_none(tmp_path, messages):
    def second(keep):
        numbers = [one.received_ns for one in messages if one.topic == TOPICS.image]
        return [
            replace(one, message_type=one.message_type + "#2")
            if one.topic == TOPICS.image and keep(numbers.index(one.received_ns))
            else one
            for one in messages
        ]

    path = write_mcap(tmp_path / "turns.mcap", second(lambda number: number % 2))
    assert notices(path) == [f"images on {TOPICS.image} come from several publishers in turns: a mixture of cameras"]
    path = write_mcap(tmp_path / "again.mcap", second(lambda number: number > 20))
    assert (notices(path), delivered(path)) == ([], FULL)


@pytest.mark.parametrize("key", ["files", "message_count"])
def test_the_total_of_a_file_and_of_the_bag_count_too(tmp_path, messages, key):
    folder = as_sqlite3(record(tmp_path / "bag", run()), tmp_path / "sqlite")
    assert notices(folder) == []

    def change(inside):
        if key == "files":
            inside["files"][0]["message_count"] = 210
        else:
            inside["message_count"] = 210

    edit_metadata(folder, change)
    (fault,) = notices(folder)
    assert "200 messages" in fault and "says 210" in fault


@pytest.mark.parametrize("encoding", ["cdr", "json"])
@pytest.mark.parametrize("topic", [TOPICS.joint_states, TOPICS.image])
@pytest.mark.parametrize("name", ["run.mcap", "folder"])
def test_a_sound_bag_with_messages_of_another_type_on_a_topic_has_no_fault_and_a_note(
    tmp_path, messages, encoding, topic, name
):
    kind = "std_msgs/msg/String"
    other = [replace(one, message_type=kind) for one in messages if one.topic == topic][:7]
    (tmp_path / "bag").mkdir()
    everything = sorted([*other, *messages], key=lambda one: one.received_ns)
    path = write_mcap(tmp_path / "bag" / "run.mcap", everything, encodings={kind: encoding})
    if name == "folder":
        types = {one.topic: one.message_type for one in messages}
        write_metadata(path.parent, [path.name], dict(Counter(one.topic for one in everything)), types)
        path = path.parent
    assert delivered(path) == FULL
    assert notices(path) == []
    assert notices(path, "note") == [f"messages of {kind} in {encoding} on {topic} are left out"]
    if encoding == "json":
        assert len(list(serialized_messages(path))) == len(messages)


@pytest.mark.parametrize(
    ("topic", "good", "other"),
    [
        (TOPICS.commands, "sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory"),
        (TOPICS.image, "sensor_msgs/msg/Image", "foxglove_msgs/msg/CompressedVideo"),
        (TOPICS.image, "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"),
    ],
)
@pytest.mark.parametrize("late", [True, False])
def test_a_topic_with_two_types_that_are_read_is_rejected_with_both(tmp_path, messages, topic, good, other, late):
    of_topic = [number for number, one in enumerate(messages) if one.topic == topic]
    changed = {*(of_topic[20:] if late else of_topic[:20])}
    mixed = [replace(one, message_type=other) if n in changed else one for n, one in enumerate(messages)]
    path = write_mcap(tmp_path / "run.mcap", mixed)
    with pytest.raises(BadBag, match=rf"Topic {topic} .*got ({good} and {other}|{other} and {good})\. Two programs"):
        delivered(path)


@pytest.mark.parametrize("topic", [TOPICS.joint_states, TOPICS.commands, TOPICS.image])
def test_a_type_that_appears_late_on_a_topic_changes_nothing_but_a_note(tmp_path, messages, topic):
    kind = "std_msgs/msg/Float64MultiArray"
    other = [replace(one, message_type=kind, received_ns=one.received_ns + 1) for one in messages if one.topic == topic]
    everything = sorted([*other[5:9], *messages], key=lambda one: one.received_ns)
    path = write_mcap(tmp_path / "run.mcap", everything)
    assert delivered(path) == FULL and notices(path) == []
    assert notices(path, "note") == [f"messages of {kind} in cdr on {topic} are left out"]


def test_a_missing_part_of_a_split_bag_is_named_with_what_helps(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages[:90], messages[90:]])
    (bag / "split_1.mcap").unlink()
    with pytest.raises(BadBag, match=r"got no split_1\.mcap\. Copy it beside the others"):
        delivered(bag)


def test_an_unknown_compression_is_named_with_what_helps(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages], compression="brotli")
    with pytest.raises(BadBag, match=r"got `brotli`\. Compress them with zstd"):
        delivered(bag)
    edit_metadata(bag, lambda inside: inside.update(compression_mode="message", compression_format="lz4"))
    with pytest.raises(BadBag, match=r"got `lz4`\. Decompress them"):
        delivered(bag)


def test_messages_that_are_not_compressed_though_metadata_says_so_are_read(tmp_path, messages):
    bag = split_bag(tmp_path / "split", [messages])
    edit_metadata(bag, lambda inside: inside.update(compression_mode="message", compression_format="zstd"))
    assert delivered(bag) == FULL and notices(bag) == []
