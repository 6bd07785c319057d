"""The command lines of evaluation and replay, from arguments to files and messages."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from metric_networks import TracedLpips, WantsLong, script
from recordings import record_drift
from untrained import JOINTS, save_untrained

from hwm_core.data.episodes.store import write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.evaluation.engine import Evaluation
from hwm_core.types import Episode
from training import evaluate, replay


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_untrained(tmp_path / "checkpoint")


def run(main, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    main()


def write_store(folder: Path, preprocessing: Preprocessing) -> Path:
    random = np.random.default_rng(0)
    for split, count in (("training", 1), ("validation", 2)):
        for number in range(count):
            episode = Episode(
                name=f"{split}_{number}",
                frames=random.integers(0, 256, (44, preprocessing.height, preprocessing.width, 3), dtype=np.uint8),
                stamps_ns=np.arange(44, dtype=np.int64) * 33_333_333,
                segments=np.zeros(44, np.int32),
                names=JOINTS,
                states=None,
                commands=random.normal(size=(44, 3)).astype(np.float32),
            )
            write_episode(folder / split, episode, preprocessing)
    return folder


def test_replay_takes_its_settings_from_a_file(tmp_path: Path, checkpoint: Path, monkeypatch, capsys) -> None:
    (tmp_path / "replay.yaml").write_text("horizons: [3, 8]\nexamples: 1\n")
    out = tmp_path / "out"
    options = ("--checkpoint", checkpoint, "--out", out, "--config", tmp_path / "replay.yaml")
    run(replay.main, monkeypatch, record_drift(tmp_path / "run", frames=45), *options)
    assert list(json.loads((out / "metrics.json").read_text())["psnr_db"]) == ["3", "8"]
    assert "| model |" in capsys.readouterr().out


def test_a_bag_that_is_none_is_told_in_one_sentence(tmp_path: Path, checkpoint: Path, monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(replay.main, monkeypatch, tmp_path / "nothing", "--checkpoint", checkpoint)
    assert exit_.value.code == 2
    assert "nothing" in capsys.readouterr().err


def test_evaluate_judges_the_validation_episodes_of_a_store(tmp_path: Path, checkpoint: Path, monkeypatch) -> None:
    store = write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=16, width=16))
    out = tmp_path / "out"
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out)
    files = {"evaluation.json", "table.md", "contact_sheet.png", "evaluation.html", "MODEL_CARD.md"}
    assert {path.name for path in out.iterdir()} == {*files, "windows"}
    evaluated = json.loads((out / "evaluation.json").read_text())
    assert evaluated["episodes"] == ["validation_0", "validation_1"]
    # 44 frames hold windows of 33 at the starts 0, 5 and 10
    assert evaluated["psnr_db"]["16"]["windows"] == 6


def test_a_store_prepared_for_another_camera_is_rejected(tmp_path: Path, checkpoint: Path, monkeypatch, capsys) -> None:
    store = write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=24, width=24))
    with pytest.raises(SystemExit):
        run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "out")
    assert "preprocessing" in capsys.readouterr().err


def judged_by(folder: Path, name: str = "evaluation.json") -> bytes:
    return (folder / name).read_bytes()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=16, width=16))


FEW = ("--stride", 10, "--horizons", 8, "--batch", 2, "--sensitivity", 2, "--examples", 1)


def test_every_file_of_an_evaluation_says_what_it_promises(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    out = tmp_path / "out"
    options = ("--samples", 2, "--stochastic-sampling", "steps=2", "temperature=1", "soft=false", "--card-beside")
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, *options)
    evaluated = json.loads(judged_by(out))
    drawn = {"model", "shuffled", "none", "zero", "reversed", "single", "mean_of_2"}
    assert set(evaluated["conditions"]) == drawn | {"copy_last", "tokenizer"}
    for name, row in evaluated["conditions"].items():
        assert row["windows"] == 6 and row["episodes"] == 2 and row["seed"] == 0
        assert len(row["by_frame"]["psnr_db"]) == 8 and (row["sampling"] is not None) == (name in drawn)
    assert evaluated["conditions"]["mean_of_2"]["samples"] == 2
    assert set(evaluated["conditions"]["model"]["mean"]) == {"psnr_db", "pooled_psnr_db", "ssim"}
    worth = evaluated["controllability_db"]["shuffled"]["mean"]
    assert worth["mean"] is not None and worth["low"] is worth["high"] is None, "2 episodes give no interval"
    assert list(evaluated["sensitivity"]["joints"]) == list(JOINTS)
    codes = evaluated["tokens"]
    assert set(codes["conditions"]) == {"model", "shuffled", "none"} and set(codes["gain_over"]) == {"shuffled", "none"}
    assert all(row["windows"] == 6 and row["seed"] == 0 and row["ce"] > 0 for row in codes["conditions"].values())
    assert "CE, nats a code" in judged_by(out, "table.md").decode()
    assert all(set(over) == {"mean", "low", "high"} for over in evaluated["psnr_db"]["8"]["gain_over"].values())
    assert {"copy_last", "model", "single"} == set(evaluated["psnr_db"]["8"]["sample_gains"]["mean_of_2"])
    page = judged_by(out, "evaluation.html").decode()
    assert page.count("data:image/png") == 3 and page.count("data:image/svg+xml") >= 2
    assert "http" not in page and 'src="data:' in page, "the page needs nothing from elsewhere"
    card = judged_by(out, "MODEL_CARD.md").decode()
    assert "right_elbow" in card and "6 windows of 2 episodes" in card
    assert "Fewer than 5 episodes: no intervals" in card
    assert (checkpoint / "MODEL_CARD.md").read_text() == card


def test_an_interrupted_evaluation_goes_on_to_the_same_numbers(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    for out in (tmp_path / "whole", tmp_path / "cut"):
        run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW)
    lost = tmp_path / "cut" / "windows" / "000001.npz"
    kept = [path.stat().st_mtime_ns for path in sorted(lost.parent.glob("*.npz")) if path != lost]
    lost.unlink()
    (tmp_path / "cut" / "evaluation.json").unlink()
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "cut", *FEW)
    assert [path.stat().st_mtime_ns for path in sorted(lost.parent.glob("*.npz")) if path != lost] == kept
    for name in ("evaluation.json", "table.md", "evaluation.html", "MODEL_CARD.md"):
        assert judged_by(tmp_path / "whole", name) == judged_by(tmp_path / "cut", name), name


def test_going_on_with_other_settings_is_rejected_by_their_names_and_loses_nothing(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    out = tmp_path / "out"
    options = ("--checkpoint", checkpoint, "--store", store, "--out", out)
    run(evaluate.main, monkeypatch, *options, *FEW)
    before = judged_by(out)
    with pytest.raises(SystemExit):
        run(evaluate.main, monkeypatch, *options, *FEW, "--stride", 9)
    assert "settings.stride 9 in place of 10" in capsys.readouterr().err
    assert judged_by(out) == before
    run(evaluate.main, monkeypatch, *options, *FEW, "--stride", 9, "--from-scratch")
    assert judged_by(out) != before


def test_checkpoints_side_by_side_are_compared_window_by_window(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    flow = save_untrained(tmp_path / "flow", family="flow")
    out = tmp_path / "out"
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, flow, "--store", store, "--out", out, *FEW)
    together = json.loads(judged_by(out))
    a, b = together["checkpoints"]
    assert a != b and all(json.loads(judged_by(out / label)) == together["checkpoints"][label] for label in (a, b))
    [of_model] = [one for one in together["differences"] if one["condition"] == "model"]
    means = [together["checkpoints"][label]["psnr_db"]["8"]["model"] for label in (a, b)]
    assert of_model["of"] == b and of_model["over"] == a
    assert of_model["8"]["mean"] == pytest.approx(means[1] - means[0], abs=2e-3)
    assert of_model["windows"] == 6 and of_model["seed"] == 0 and not of_model["relative_to_copy_last"]
    assert "Side by side" in judged_by(out, "evaluation.html").decode()


def test_the_protocol_of_the_paper_judges_each_frame_once_against_the_tokenizers_truth(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    out = tmp_path / "out"
    options = ("--protocol", "paper", "--sensitivity", 0)
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out, *options)
    evaluated = json.loads(judged_by(out))
    # 44 frames hold windows of 9 + 8 at the starts 0, 8, 16 and 24
    assert evaluated["settings"]["truth"] == "tokenizer" and evaluated["psnr_db"]["8"]["windows"] == 8
    assert "tokenizer" not in evaluated["conditions"] and evaluated["sensitivity"] is None
    assert "none named" in evaluated["distances"]["FID"]["unavailable"]
    assert "FID unavailable" in judged_by(out, "MODEL_CARD.md").decode()
    assert evaluated["distances"]["KID"] == evaluated["distances"]["FID"] == evaluated["unavailable"]["FID"]


def test_models_with_truths_of_their_own_are_compared_by_what_each_is_above_its_copied_frame(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    flow, out = save_untrained(tmp_path / "flow", family="flow"), tmp_path / "out"
    options = ("--protocol", "paper", "--sensitivity", 0, "--no-ssim", "--out", out)
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, flow, "--store", store, *options)
    together = json.loads(judged_by(out))
    [of_model] = [one for one in together["differences"] if one["condition"] == "model"]
    a, b = (together["checkpoints"][label]["psnr_db"]["8"] for label in (of_model["over"], of_model["of"]))
    assert of_model["relative_to_copy_last"] and a["copy_last"] != b["copy_last"], "two tokenizers, two truths"
    leads = [at["model"] - at["copy_last"] for at in (a, b)]
    assert of_model["8"]["mean"] == pytest.approx(leads[1] - leads[0], abs=3e-3)
    assert "model, relative to copy last frame: " in judged_by(out, "table.md").decode()


class MeanColours(torch.nn.Module):
    """Stands in for a network: mean and deviation of each colour."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.cat([frames.mean(dim=(2, 3)), frames.std(dim=(2, 3))], dim=1)


class Doubled(TracedLpips):
    """Another eye."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean([1, 2, 3], keepdim=True) / 2


def networks_in(folder: Path) -> tuple[str, ...]:
    """Options for two stand-ins, saved there."""
    colours, eye = script(MeanColours(), folder / "colours.pt"), script(TracedLpips(), folder / "eye.pt")
    return "--extractor", f"script={colours}", "--lpips", f"script={eye}"


def test_two_ranks_together_write_what_one_writes_distances_by_a_local_network_too(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    networks = networks_in(tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    options = ("--checkpoint", checkpoint, "--store", store, *FEW, *networks)
    run(evaluate.main, monkeypatch, *options, "--out", one)
    run(evaluate.main, monkeypatch, *options, "--out", two, "--rank", 1, "--world-size", 2)
    assert "Rank 1 is done" in capsys.readouterr().out and not (two / "evaluation.json").exists()
    monkeypatch.setenv("RANK", "0")  # as torchrun says it
    monkeypatch.setenv("WORLD_SIZE", "2")
    run(evaluate.main, monkeypatch, *options, "--out", two)
    for name in ("evaluation.json", "table.md", "evaluation.html", "contact_sheet.png"):
        assert judged_by(one, name) == judged_by(two, name), name
    distances = json.loads(judged_by(one))["distances"]["FD-colours"]
    assert set(distances) == {"model", "copy_last", "tokenizer"}
    assert distances["copy_last"]["distance"] < distances["model"]["distance"], "true pictures look true"
    assert {(one["windows"], one["episodes"], one["seed"]) for one in distances.values()} == {(6, 2, 0)}
    assert "FD-colours" in judged_by(one, "MODEL_CARD.md").decode()


def test_of_several_checkpoints_the_files_are_written_whichever_rank_is_the_last_of_each(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    evaluate_rank, begun = Evaluation.evaluate, []

    def behind_then_ahead(self, partial_results, *, rank, ranks, progress) -> None:
        """Rank 0 ends with the first checkpoint before rank 1 has begun, and with the second after rank 1."""
        begun.append((self, partial_results))
        if len(begun) == 2:
            for evaluation, parts in begun:
                evaluate_rank(evaluation, parts, rank=1, ranks=ranks)
        evaluate_rank(self, partial_results, rank=rank, ranks=ranks, progress=progress)

    monkeypatch.setattr(Evaluation, "evaluate", behind_then_ahead)
    options = ("--checkpoint", checkpoint, checkpoint, "--store", store, "--rank", 0, "--world-size", 2)
    run(evaluate.main, monkeypatch, *options, "--out", tmp_path / "out", *FEW)
    assert (tmp_path / "out/evaluation.json").exists()


def test_kernel_distances_and_lpips_stand_in_every_file_beside_the_sums_of_their_networks(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    out, networks = tmp_path / "out", networks_in(tmp_path)
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, *networks)
    evaluated = json.loads(judged_by(out))
    kernel = evaluated["distances"]["KD-colours"]
    # 6 windows of 8 frames: fewer than a subset of 1,000
    assert set(kernel) == {"model", "copy_last", "tokenizer"} and kernel["model"]["subset_size"] == 48
    assert kernel["copy_last"]["mean"] < kernel["model"]["mean"] and kernel["model"]["subsets"] == 1
    # The stand-in for LPIPS is a mean square of values in [-1, 1] over 4: the error that PSNR is made from.
    for row in evaluated["conditions"].values():
        assert len(row["by_frame"]["lpips"]) == 8
        assert row["mean"]["lpips"] == pytest.approx(10 ** (-row["mean"]["pooled_psnr_db"] / 10), abs=1e-3)
    sums = {metric: network.partition(":") for metric, network in evaluated["networks"].items()}
    assert {metric: name for metric, (name, _, _) in sums.items()} == {
        "FD-colours": "colours",
        "KD-colours": "colours",
        "LPIPS": "LPIPS-eye",
    }
    for name in ("table.md", "evaluation.html", "MODEL_CARD.md"):
        text = judged_by(out, name).decode()
        assert "KD-colours" in text and "LPIPS" in text, name
        assert (sums["LPIPS"][2] in text) == (name != "table.md")
    assert "LPIPS of the frame so many frames ahead" in judged_by(out, "evaluation.html").decode()


def test_going_on_with_another_network_is_rejected_by_its_metric(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    options = ("--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "out", *FEW, *networks_in(tmp_path))
    run(evaluate.main, monkeypatch, *options)
    other = script(Doubled(), tmp_path / "other.pt")
    with pytest.raises(SystemExit):
        run(evaluate.main, monkeypatch, *options, "--lpips", f"script={other}")
    assert "networks.LPIPS LPIPS-other:" in capsys.readouterr().err


def test_without_its_file_a_metric_is_unavailable_in_every_file_and_the_rest_is_judged(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    out, nowhere = tmp_path / "out", tmp_path / "nowhere.pt"
    options = ("--lpips", f"vgg16={nowhere}", "--extractor", f"inception={nowhere}", f"i3d={nowhere}", "script=")
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, *options)
    evaluated = json.loads(judged_by(out))
    distances = {"FID", "KID", "FVD", "KVD", "FD-", "KD-"}
    assert set(evaluated["distances"]) == distances and evaluated["networks"] == {}
    assert set(evaluated["unavailable"]) == distances | {"LPIPS", "MS-SSIM"}
    assert "nowhere.pt" in evaluated["unavailable"]["LPIPS"]["unavailable"]
    assert "176 pixels" in evaluated["unavailable"]["MS-SSIM"]["unavailable"], "the frames have 16"
    assert set(evaluated["conditions"]["model"]["mean"]) == {"psnr_db", "pooled_psnr_db", "ssim"}
    said = capsys.readouterr().out
    for text in (said, *(judged_by(out, name).decode() for name in ("table.md", "evaluation.html", "MODEL_CARD.md"))):
        assert all(f"{metric} unavailable: " in text for metric in ("LPIPS", "MS-SSIM", "FID", "KID", "FVD"))
    assert said.index("LPIPS unavailable") < said.index("PSNR in dB"), "told before hours of prediction"


def test_a_network_that_does_not_take_clips_this_short_is_told_before_anything_is_predicted_and_in_every_file(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    out, network = tmp_path / "out", script(WantsLong(), tmp_path / "long.pt")
    options = ("--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, "--extractor", f"i3d={network}")
    run(evaluate.main, monkeypatch, *options)
    evaluated = json.loads(judged_by(out))
    assert "[1, 8, 3, 16, 16]" in evaluated["distances"]["FVD"]["unavailable"] and evaluated["networks"] == {}
    said = capsys.readouterr().out
    assert said.index("FVD unavailable") < said.index("PSNR in dB")
    assert "KVD unavailable" in judged_by(out, "MODEL_CARD.md").decode()


@pytest.mark.parametrize(("option", "kinds"), [("--lpips", "vgg16 or script"), ("--extractor", "inception or i3d")])
def test_a_kind_of_network_that_is_none_is_rejected(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys, option: str, kinds: str
) -> None:
    with pytest.raises(SystemExit):
        run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, option, "resnet=net.pt")
    assert f"expected {kinds}" in capsys.readouterr().err


def test_a_rank_beyond_the_world_is_rejected(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    options = ("--store", store, "--out", tmp_path / "out", "--rank", 2, "--world-size", 2)
    with pytest.raises(SystemExit):
        run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, *options)
    assert "rank 2 of 2" in capsys.readouterr().err
