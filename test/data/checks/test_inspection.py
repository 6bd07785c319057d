"""Looking at recordings: what is measured, and what is doubted."""

import numpy as np
import pytest
from recordings import NAMES, PERIOD, START, TOPICS, Message, lerobot_dataset, picture, real_data, record, run

from hwm_core.data.checks.inspection import inspect
from hwm_core.data.checks.lag import estimate_lag
from hwm_core.data.checks.verification import verify_metadata, verify_recording
from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.split import split_by_number, split_by_share
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.tables import read_table
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.value_checks import value_warnings
from hwm_core.errors import BadBag
from hwm_core.visualization.thumbnails import thumbnail_sheet


def inspected(tmp_path, messages):
    record(tmp_path / "run", messages)
    return inspect(find_recordings(tmp_path / "run", TOPICS)[0])


def test_rates_gaps_and_clock_jumps_are_those_of_the_stamps(tmp_path):
    messages = run(30) + run(30, START + 60 * PERIOD) + run(30)
    found = inspected(tmp_path, messages)
    images = found.rates["images"]
    assert images.messages == 90 and abs(images.hz - 30) < 0.01 and abs(found.rates["states"].hz - 90) < 0.1
    ((at, length),) = images.gaps
    assert abs(at - 29 / 30) < 0.01 and abs(length - 31 / 30) < 0.01
    assert images.jumps == 1 and images.jitter_ms < 0.01
    assert any("the clock jumps back 1 times" in remark for remark in found.remarks())


def test_joints_and_a_camera_of_unlike_clocks_are_rejected_by_their_times(tmp_path):
    later = 1000 * 10**9  # ns
    messages = [m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns + later, m.content) for m in run(20)]
    with pytest.raises(BadBag, match=r"images at 100\..* states at 1100\..* Stamp all messages with one clock"):
        inspected(tmp_path, messages)


def test_pictures_that_repeat_show_the_true_rate_of_the_camera(tmp_path):
    messages = run(40)
    stills = [m for m in messages if m.topic == TOPICS.image and (m.content[0, 0, 0] % 4) == 3]
    for still in stills:
        still.content[:] -= 1  # every fourth frame is the third again
    found = inspected(tmp_path, messages)
    assert found.repeats == 10 / 39 and found.longest_repeat == 1
    assert abs(found.fresh_hz - 30 * 29 / 39) < 0.01
    assert "Copying the last frame looks too good" in found.remarks()[0]


def test_the_bars_of_a_letterbox_are_seen_and_a_dark_scene_is_none(tmp_path):
    messages = run(20)
    for m in messages:
        if m.topic == TOPICS.image:
            m.content[:] += 30
            m.content[:6] = m.content[18:] = 0  # of 24 rows
    found = inspected(tmp_path, messages)
    assert found.bars == pytest.approx((0.25, 0.25, 0, 0), abs=0.02)
    assert any("black bars" in remark for remark in found.remarks())
    record(
        tmp_path / "dark", [m if m.topic != TOPICS.image else Message(m.topic, m.stamp_ns, picture(3)) for m in run(9)]
    )
    assert inspect(find_recordings(tmp_path / "dark", TOPICS)[0]).bars == (0, 0, 0, 0)


def test_constant_dimensions_are_named(tmp_path):
    messages = [
        m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns, (NAMES, (m.content[1][0], 0.5, 0.5)))
        for m in run(20)
    ]
    found = inspected(tmp_path, messages)
    assert [one.constant for one in found.joints["states"]] == [False, True, True]
    assert any("2 of 3 dimensions are constant: elbow, wrist" in remark for remark in found.remarks())


@pytest.mark.parametrize("lag", [-3, 0, 2.5, 5])
def test_the_lag_from_command_to_state_is_found(lag):
    rng = np.random.default_rng(0)
    t = np.arange(400)

    def motion(shift):
        return np.stack([np.sin((t - shift) / 9), np.cos((t - shift) / 23 + 1), np.zeros(400)], axis=1)

    states = motion(lag) + rng.normal(scale=1e-3, size=(400, 3)) * [1, 1, 0]
    found = estimate_lag(states, motion(0))
    assert [one.column for one in found.joints] == [0, 1]
    assert all(abs(one.frames - lag) < 0.3 and one.correlation > 0.9 for one in found.joints)


def test_the_lag_of_all_is_that_of_the_joints_that_follow_closely_however_many_fingers_do_not():
    rng = np.random.default_rng(0)
    t = np.arange(400)
    commands = np.stack([np.sin(t / (9 + 2 * joint)) for joint in range(10)], axis=1)
    lags = np.array([4] * 3 + [11] * 5 + [2] * 2)  # arms, fingers, joints near rest
    states = np.stack([np.sin((t - lag) / (9 + 2 * joint)) for joint, lag in enumerate(lags)], axis=1)
    commands[:, 8:] *= 1e-3
    states[:, 8:] *= 1e-3
    # Of noise as large as the motion over 5 frames half is left: a correlation of 0.7.
    scale = np.std(states[5:] - states[:-5], axis=0) / np.sqrt(2) * (lags != 4)
    found = estimate_lag(states + scale * rng.normal(size=states.shape), commands)
    assert len(found.joints) == 10 and abs(found.frames - 4) < 0.3


def test_no_lag_is_claimed_of_what_does_not_move():
    assert estimate_lag(np.zeros((400, 2)), np.zeros((400, 2))) is None
    assert estimate_lag(np.zeros((10, 2)), np.ones((10, 2))) is None


@pytest.mark.parametrize(
    ("name", "values", "unit", "said"),
    [
        ("elbow", np.linspace(-90, 90, 50), None, "degrees for radians"),
        ("elbow", np.linspace(-1, 1, 50), "deg", "radians for degrees"),
        ("left_hand_index", np.linspace(0, 1000, 50), None, "of 1000?"),
        ("left_hand_index", np.linspace(0, 255, 50), "unit", "of 255?"),
        ("knee", np.full(50, 0.3), "rad", "constant at 0.3"),
        ("waist_yaw", np.mod(np.linspace(0, 9, 200), 2 * np.pi), "rad", "wraps around"),
        ("neck", np.where(np.arange(500) == 250, 3.0, 0.001 * np.sin(np.arange(500))), "rad", "a single step of 3"),
    ],
)
def test_values_of_another_unit_or_that_jump_are_doubted(name, values, unit, said):
    assert any(said in warning for warning in value_warnings(name, values, unit))


def test_values_beyond_their_limits_are_doubted_and_sound_ones_are_not():
    values = np.sin(np.arange(200) / 20)
    assert value_warnings("elbow", values, "rad", (-1.2, 1.2)) == []
    assert "beyond its limits" in value_warnings("elbow", values, "rad", (-0.5, 0.5))[0]
    assert value_warnings("left_hand_index", np.linspace(0, 1, 50)) == []


def test_the_contact_sheet_holds_every_thumbnail(tmp_path):
    found = inspected(tmp_path, run(100))
    assert 24 <= len(found.thumbnails) < 48 and found.thumbnail_s[1] == pytest.approx(4 / 30, abs=1e-3)
    sheet = thumbnail_sheet("run", ["a note"], found.thumbnails, found.thumbnail_s)
    assert sheet.dtype == np.uint8 and sheet.shape[1] >= 900


def test_metadata_that_count_more_than_there_is_are_noted_and_a_cut_video_is_a_fault(tmp_path):
    folder = lerobot_dataset(tmp_path / "set")
    notes = [one.text for one in verify_metadata(folder)]
    assert any("total_episodes 100, but there are 2" in text for text in notes)
    assert any("`observation.images.absent`, which has no files" in text for text in notes)
    assert all(one.level == "note" for one in verify_metadata(folder))
    video = folder / "videos/chunk-000/observation.images.head/episode_000003.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    first, second = find_recordings(folder, TOPICS)
    assert [one.level for one in verify_recording(first)] == ["note"]  # one frame without a command before it
    assert [one.level for one in verify_recording(second)] == ["fault"]


@pytest.mark.parametrize(("bad", "level"), [(9, "note"), (30, "fault")])
def test_states_of_nan_are_a_note_where_they_are_interpolated_over_and_a_fault_where_frames_are_lost(
    tmp_path, bad, level
):
    messages = run(40)  # states at 90 Hz: 9 in a row leave 0.11 s without any, 30 leave 0.34 s
    places = [index for index, m in enumerate(messages) if m.topic == TOPICS.joint_states][30 : 30 + bad]
    for index in places:
        messages[index] = Message(TOPICS.joint_states, messages[index].stamp_ns, (NAMES, (0, np.nan, 0)))
    record(tmp_path / "run", messages)
    (found,) = verify_recording(find_recordings(tmp_path / "run", TOPICS)[0])
    assert found.level == level and f"{bad} bad messages" in found.text and "NaN or infinity for elbow" in found.text
    # The first sound state after the 30 is at 20 periods, the last one before at 9 2/3: frames 10 to 19.
    assert ("10 frames are lost" in found.text) is (level == "fault")


def test_a_split_by_share_keeps_everyone_s_side_when_recordings_are_added(tmp_path):
    for number in range(12):
        record(tmp_path / f"run_{number}", [Message(TOPICS.image, START, picture(0))])
    recordings = find_recordings(tmp_path, TOPICS)
    all_of_them = split_by_share(recordings, 0.4, seed=1)
    some = split_by_share(recordings[3:], 0.4, seed=1)
    assert set(some.validation) <= set(all_of_them.validation) and 0 < len(some.validation) < 9
    assert split_by_number(recordings, 5).validation == ("run_0", "run_10", "run_5")
    with pytest.raises(BadBag, match="0 to validate"):
        split_by_share(recordings, 0.0)
    sides = some.apply(recordings[3:])
    assert len(sides["training"]) + len(sides["validation"]) == 9
    with pytest.raises(BadBag, match="run_0"):
        some.apply(recordings)


@pytest.mark.realdata
def test_g1_s_repeats_and_the_lead_of_its_commands_are_measured():
    recordings = {one.number: one for one in find_recordings(real_data("g1_yellow_bottle"), TOPICS)}
    found = inspect(recordings[29])
    assert 0.15 < found.repeats < 0.35 and 20 < found.fresh_hz < 26
    lags = {found.lag_names[one.column]: one.frames for one in found.lag.joints}
    hands = [frames for name, frames in lags.items() if "Hand" in name]
    arms = [frames for name, frames in lags.items() if "Hand" not in name]
    assert 3 < np.median(arms) < 5.5 and 8 < np.median(hands) < 14  # the hands are slower still
    assert found.rates["images"].gaps == ()
    assert any(remark.startswith("commands lead states by 4.0 frames") for remark in found.remarks())


@pytest.mark.realdata
def test_the_lead_of_g1_s_commands_is_4_or_5_frames_in_every_episode():
    dataset = open_lerobot(real_data("g1_yellow_bottle"))
    for number in dataset.episodes:
        table = read_table(dataset, number)
        states, commands = (np.array(table[key].to_pylist()) for key in ("observation.state", "action"))
        assert round(estimate_lag(states, commands).frames) in (4, 5), number


@pytest.mark.realdata
def test_gr1_s_letterbox_and_its_25_constant_commands_are_told():
    recordings = {one.number: one for one in find_recordings(real_data("gr1_sim_picknplace"), TOPICS)}
    found = inspect(recordings[1])
    assert sum(one.constant for one in found.joints["commands"]) == 25
    assert found.bars[0] > 0.1 and found.bars[1] > 0.1


@pytest.mark.realdata
def test_gr1_s_letterbox_is_gone_when_the_shares_that_inspect_prints_are_cut():
    recordings = {one.number: one for one in find_recordings(real_data("gr1_sim_picknplace"), TOPICS)}
    camera = Preprocessing(source_aspect=1.0, crop="none", frame_rate_hz=20.0)
    rows = [
        recordings[1].read(one)[0].frames.max(axis=(0, 2, 3))  # the brightest of each row in any picture
        for one in (camera, camera.model_copy(update={"cut": inspect(recordings[1]).bars}))
    ]
    assert (rows[0] < 16).sum() > 12 and rows[1].min() > 16
