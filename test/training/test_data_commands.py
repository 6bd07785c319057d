"""The data commands together: inspect, verify, split, measure, convert and prepare."""

import shutil

from command import hwm
from recordings import lerobot_dataset, record, run

from hwm_core.data.episodes.store import open_store
from hwm_core.data.lerobot.dataset import open_lerobot


def test_the_commands_work_on_the_results_of_each_other(tmp_path, capsys):
    for number in range(4):
        record(tmp_path / f"bags/run_{number}", run(10))

    call, bags, out = hwm, tmp_path / "bags", tmp_path / "out"
    assert call("inspect", bags, "--episodes", 1, "--sheets", out / "sheets", "--dimensions") == 0
    assert "images        10 at 30.00 Hz" in capsys.readouterr().out
    assert (out / "sheets/run_1.png").exists()
    assert call("verify", bags) == 0
    assert call("split", bags, "--nth", 3, "--out", out / "split.yaml") == 0
    assert call("statistics", bags, "--robot", "r", "--out", out / "r.yaml") == 0
    assert "neck" in capsys.readouterr().out
    assert call("convert", bags, "--to", "lerobot-v3.0", "--codec", "lossless", "--out", out / "set") == 0
    assert "lost: time of day" in capsys.readouterr().out
    assert call("convert", out / "set", "--to", "lerobot-v2.1", "--out", out / "old") == 0
    assert open_lerobot(out / "old").episodes == (0, 1, 2, 3)
    store = ("--robot", "r", "--size", 12, "--split", out / "split.yaml", "--frame-skip", 1, "--out", out / "store")
    assert call("prepare", bags, *store) == 0
    opened = open_store(out / "store")
    assert [one.name for one in opened.validation] == ["run_0", "run_3"] and opened.preprocessing.frame_rate_hz == 15
    assert call("verify", out / "store") == 0
    (bags / "run_2/run_2.mcap").write_bytes(b"")
    assert call("verify", bags) == 1
    assert "fault: run_2" in capsys.readouterr().out
    assert call("inspect", tmp_path / "nowhere") == 2


def test_a_damaged_data_set_is_reported_and_the_rest_of_the_folder_is_used(tmp_path, capsys):
    folder, out = tmp_path / "all", tmp_path / "out"
    for number in (1, 2):
        record(folder / f"bags/run_{number}", run(8))
    for name in ("damaged", "sound"):
        lerobot_dataset(folder / name, (0,), frames=8)
    (folder / "damaged/meta/info.json").write_text('{"fps": 30')

    def call(*words):
        status, output = hwm(*words), capsys.readouterr()
        assert "damaged/meta/info.json: expected a JSON object" in output.out + output.err
        return status, output.out

    status, output = call("verify", folder)
    assert status == 1 and output.endswith("1 faults, 5 notes\n")  # a frame without a command in each; 2 of `sound`
    status, output = call("inspect", folder)
    assert status == 1 and all(f"{name}  " in output for name in ("run_1", "run_2", "sound_000000"))
    status, output = call("convert", folder, "--to", "rosbag2", "--out", out / "bags")
    assert status == 1 and "3 recordings as rosbag2" in output and len(list((out / "bags").iterdir())) == 3
    assert call("split", folder, "--nth", 2, "--out", out / "split.yaml")[0] == 1
    store = ("--robot", "r", "--size", 12, "--validation-nth", 2, "--out", out / "store")
    status, output = call("prepare", folder, *store)
    assert status == 1 and len(open_store(out / "store").training) == 1
    assert call("statistics", folder, "--robot", "r")[0] == 2  # statistics of only a part would be wrong
    for words in (["inspect"], ["convert", "--to", "rosbag2", "--out", out / "none"]):
        assert call(words[0], folder / "damaged", *words[1:])[0] == 2


def test_a_chosen_camera_is_the_only_one_after_conversion_and_a_single_camera_is_not_decoded(tmp_path, capsys):
    head, hand = "observation.images.head", "observation.images.hand"
    old = lerobot_dataset(tmp_path / "old", (0,), frames=5)

    def converted(out, *options):
        """Cameras of the new dataset, and whether images were encoded again."""
        words = [old, "--to", "lerobot-v3.0", "--out", tmp_path / out, *options]
        assert hwm("convert", *map(str, words)) == 0
        return open_lerobot(tmp_path / out).cameras, "lost: image quality: codec" in capsys.readouterr().out

    assert converted("alone", "--camera", head) == ((head,), False)
    info = (old / "meta/info.json").read_text()
    (old / "meta/info.json").write_text(info.replace("observation.images.absent", hand))
    shutil.copytree(old / "videos/chunk-000" / head, old / "videos/chunk-000" / hand)
    assert converted("all") == ((hand, head), False)
    assert converted("chosen", "--camera", head) == ((head,), True)


def test_data_commands_end_with_the_next_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        record(tmp_path / f"bags/run_{number}", run(40))

    def last() -> str:
        return capsys.readouterr().out.splitlines()[-1]

    assert hwm("verify", "bags") == 0 and last() == "Next: hwm inspect bags"
    assert hwm("split", "bags", "--nth", 2, "--out", "split.yaml") == 0
    assert last() == "Next: hwm prepare bags --robot robot.yaml --split split.yaml --out store"
    assert hwm("convert", "bags", "--to", "lerobot-v2.1", "--out", "set") == 0 and last() == "Next: hwm inspect set"
