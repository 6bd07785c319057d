"""The command lines of evaluation and replay: their files and messages."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command import hwm
from metric_networks import TracedLpips, WantsLong, script
from recordings import record_drift
from untrained import JOINTS, save_untrained, untrained

from hwm_core import precision
from hwm_core.data.episodes.store import write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.evaluation import replay
from hwm_core.evaluation.engine import Evaluation
from hwm_core.precision import read_precision
from hwm_core.sampling.config import PAPER, Sampling
from hwm_core.types import Episode
from hwm_core.world_model.checkpoint import save_checkpoint
from hwm_core.world_model.checkpoint_files import WeightType


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_untrained(tmp_path / "checkpoint")


def run(*words: object) -> None:
    assert hwm(*words) == 0


def reject(*words: object) -> None:
    assert hwm(*words) == 2


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


def test_replay_takes_its_settings_from_a_file(tmp_path: Path, checkpoint: Path, capsys) -> None:
    (tmp_path / "replay.yaml").write_text("horizons: [3, 8]\nexamples: 1\n")
    out = tmp_path / "out"
    options = ("--checkpoint", checkpoint, "--out", out, "--config", tmp_path / "replay.yaml")
    run("replay", record_drift(tmp_path / "run", frames=45), *options)
    assert list(json.loads((out / "metrics.json").read_text())["psnr_db"]) == ["3", "8"]
    assert "| model |" in capsys.readouterr().out


def test_evaluate_takes_an_st_transformer_scores_its_codes_and_evaluates_the_chosen_conditions(
    tmp_path: Path, store: Path
) -> None:
    checkpoint, out = save_untrained(tmp_path / "st", family="st_transformer"), tmp_path / "out"
    options = ("--stride", 10, "--horizons", 8, "--sensitivity", 0, "--no-ssim", "--conditions", "model", "copy_last")
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out, *options)
    evaluated = json.loads(read_file(out))
    assert evaluated["psnr_db"]["8"]["windows"] == 6 and set(evaluated["conditions"]) == {"model", "copy_last"}
    assert set(evaluated["tokens"]["conditions"]) == {"model", "shuffled", "none"}
    assert "predicted at once" not in read_file(out, "table.md").decode(), "it predicts latent after latent"


def test_replay_takes_an_st_transformer(tmp_path: Path) -> None:
    checkpoint, out = save_untrained(tmp_path / "st", family="st_transformer"), tmp_path / "out"
    (tmp_path / "replay.yaml").write_text("horizons: [8]\nexamples: 1\n")
    options = ("--checkpoint", checkpoint, "--out", out, "--config", tmp_path / "replay.yaml")
    run("replay", record_drift(tmp_path / "run", frames=45), *options)
    assert json.loads(read_file(out, "metrics.json"))["psnr_db"]["8"]["windows"] > 0
    assert (out / "prediction.mp4").stat().st_size > 0


def test_a_bag_that_does_not_exist_is_reported_in_one_sentence(tmp_path: Path, checkpoint: Path, capsys) -> None:
    reject("replay", tmp_path / "nothing", "--checkpoint", checkpoint)
    assert "nothing" in capsys.readouterr().err


def test_evaluate_uses_the_validation_episodes_of_a_store(tmp_path: Path, checkpoint: Path) -> None:
    store = write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=16, width=16))
    out = tmp_path / "out"
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out)
    files = {"evaluation.json", "table.md", "contact_sheet.png", "evaluation.html", "MODEL_CARD.md"}
    assert {path.name for path in out.iterdir()} == {*files, "windows"}
    evaluated = json.loads((out / "evaluation.json").read_text())
    assert evaluated["episodes"] == ["validation_0", "validation_1"]
    assert evaluated["dtype"] == str(read_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    # 44 frames hold windows of 33 at the starts 0, 5 and 10
    assert evaluated["psnr_db"]["16"]["windows"] == 6


def test_a_store_prepared_for_another_camera_is_rejected(tmp_path: Path, checkpoint: Path, capsys) -> None:
    store = write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=24, width=24))
    reject("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "out")
    assert "preprocessing" in capsys.readouterr().err


def read_file(folder: Path, name: str = "evaluation.json") -> bytes:
    return (folder / name).read_bytes()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=16, width=16))


FEW = ("--stride", 10, "--horizons", 8, "--batch", 2, "--sensitivity", 2, "--examples", 1)


def save_in(weights: WeightType, directory: Path) -> Path:
    """Save an ST-Transformer with weights in this precision, and return its folder."""
    save_checkpoint(directory, replace(untrained(family="st_transformer"), weights=weights))
    return directory


def test_a_replay_has_the_fast_precision_of_the_device_or_that_of_float32_weights_or_of_the_option(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(replay, "_write_video", lambda path, *_: path.touch())
    bag = record_drift(tmp_path / "run", frames=40)
    for fast, weights, option, dtype in (
        (True, "bfloat16", (), "bfloat16"),
        (False, "bfloat16", (), "float32"),
        (True, "float32", (), "float32"),
        (False, "float32", ("--dtype", "bfloat16"), "bfloat16"),
    ):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _, fast=fast: fast)
        checkpoint, out = save_in(weights, tmp_path / "st"), tmp_path / "out"
        run("replay", bag, "--checkpoint", checkpoint, "--out", out, *option)
        assert json.loads(read_file(out, "metrics.json"))["dtype"] == dtype, (fast, weights, option)


def test_an_evaluation_has_the_precision_of_the_checkpoints_weights_and_is_not_resumed_in_another(
    tmp_path: Path, store: Path, capsys
) -> None:
    checkpoint, out = save_in("float32", tmp_path / "st"), tmp_path / "out"
    few = ("--max-windows", 2, "--horizons", 8, "--sensitivity", 0, "--examples", 1, "--no-ssim")
    options = ("--checkpoint", checkpoint, "--store", store, "--out", out, *few, "--conditions", "model", "copy_last")
    run("evaluate", *options)
    assert json.loads(read_file(out))["dtype"] == "float32"
    reject("evaluate", *options, "--dtype", "bfloat16")
    assert "arithmetic.dtype torch.bfloat16 in place of torch.float32" in capsys.readouterr().err


def test_every_file_of_an_evaluation_is_complete(tmp_path: Path, checkpoint: Path, store: Path) -> None:
    out = tmp_path / "out"
    sampling = ("--samples", 2, "--stochastic-sampling", "steps=2", "temperature=1", "soft=false")
    options = (*FEW, *sampling, "--card-in-checkpoint")
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out, *options)
    evaluated = json.loads(read_file(out))
    predicted = {"model", "shuffled", "none", "zero", "reversed", "single", "mean_of_2"}
    assert set(evaluated["conditions"]) == predicted | {"copy_last", "tokenizer"}
    for name, of in evaluated["conditions"].items():
        assert of["windows"] == 6 and of["episodes"] == 2 and of["seed"] == 0
        assert len(of["by_frame"]["psnr_db"]) == 8 and (of["sampling"] is not None) == (name in predicted)
    assert evaluated["conditions"]["mean_of_2"]["samples"] == 2
    assert set(evaluated["conditions"]["model"]["mean"]) == {"psnr_db", "pooled_psnr_db", "ssim"}
    gain = evaluated["controllability_db"]["shuffled"]["mean"]
    assert gain["mean"] is not None and gain["low"] is gain["high"] is None, "2 episodes give no interval"
    assert list(evaluated["sensitivity"]["joints"]) == list(JOINTS)
    codes = evaluated["tokens"]
    assert set(codes["conditions"]) == {"model", "shuffled", "none"} and set(codes["gain_over"]) == {"shuffled", "none"}
    assert all(of["windows"] == 6 and of["seed"] == 0 and of["ce"] > 0 for of in codes["conditions"].values())
    assert "CE, nats per code" in read_file(out, "table.md").decode()
    assert all(set(over) == {"mean", "low", "high"} for over in evaluated["psnr_db"]["8"]["gain_over"].values())
    assert {"copy_last", "model", "single"} == set(evaluated["psnr_db"]["8"]["sample_gains"]["mean_of_2"])
    page = read_file(out, "evaluation.html").decode()
    assert page.count("data:image/png") == 3 and page.count("data:image/svg+xml") >= 2
    assert "http" not in page and 'src="data:' in page, "the page loads nothing"
    card = read_file(out, "MODEL_CARD.md").decode()
    assert "right_elbow" in card and "6 windows of 2 episodes" in card
    assert "Fewer than 5 episodes: no intervals" in card
    assert (checkpoint / "MODEL_CARD.md").read_text() == card


def test_an_interrupted_evaluation_resumes_to_the_same_files(tmp_path: Path, checkpoint: Path, store: Path) -> None:
    for out in (tmp_path / "whole", tmp_path / "cut"):
        run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW)
    lost = tmp_path / "cut" / "windows" / "000001.npz"
    kept = [path.stat().st_mtime_ns for path in sorted(lost.parent.glob("*.npz")) if path != lost]
    lost.unlink()
    (tmp_path / "cut" / "evaluation.json").unlink()
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "cut", *FEW)
    assert [path.stat().st_mtime_ns for path in sorted(lost.parent.glob("*.npz")) if path != lost] == kept
    for name in ("evaluation.json", "table.md", "evaluation.html", "MODEL_CARD.md"):
        assert read_file(tmp_path / "whole", name) == read_file(tmp_path / "cut", name), name


def test_resuming_with_other_settings_is_rejected_by_name_and_changes_nothing(
    tmp_path: Path, checkpoint: Path, store: Path, capsys
) -> None:
    out = tmp_path / "out"
    options = ("--checkpoint", checkpoint, "--store", store, "--out", out)
    run("evaluate", *options, *FEW)
    before = read_file(out)
    reject("evaluate", *options, *FEW, "--stride", 9)
    assert "settings.stride 9 in place of 10" in capsys.readouterr().err
    assert read_file(out) == before
    run("evaluate", *options, *FEW, "--stride", 9, "--from-scratch")
    assert read_file(out) != before


def test_several_checkpoints_are_compared_window_by_window(tmp_path: Path, checkpoint: Path, store: Path) -> None:
    flow = save_untrained(tmp_path / "flow", family="flow")
    out = tmp_path / "out"
    run("evaluate", "--checkpoint", checkpoint, flow, "--store", store, "--out", out, *FEW)
    together = json.loads(read_file(out))
    a, b = together["checkpoints"]
    assert a != b and all(json.loads(read_file(out / label)) == together["checkpoints"][label] for label in (a, b))
    [of_model] = [one for one in together["differences"] if one["condition"] == "model"]
    means = [together["checkpoints"][label]["psnr_db"]["8"]["model"] for label in (a, b)]
    assert of_model["of"] == b and of_model["over"] == a
    assert of_model["8"]["mean"] == pytest.approx(means[1] - means[0], abs=2e-3)
    assert of_model["windows"] == 6 and of_model["seed"] == 0 and not of_model["relative_to_copy_last"]
    assert "Side by side" in read_file(out, "evaluation.html").decode()


def test_the_protocol_of_the_paper_evaluates_each_frame_once_against_the_reconstructed_truth(
    tmp_path: Path, checkpoint: Path, store: Path
) -> None:
    out = tmp_path / "out"
    options = ("--protocol", "paper", "--sensitivity", 0)
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out, *options)
    evaluated = json.loads(read_file(out))
    # 44 frames hold windows of 9 + 8 at the starts 0, 8, 16 and 24
    assert evaluated["settings"]["truth"] == "tokenizer" and evaluated["psnr_db"]["8"]["windows"] == 8
    assert "tokenizer" not in evaluated["conditions"] and evaluated["sensitivity"] is None
    assert evaluated["settings"]["sampling"] == evaluated["conditions"]["model"]["sampling"] == PAPER["masked"].plain()
    assert evaluated["conditions"]["mean_prediction"]["sampling"] == Sampling().plain()
    assert evaluated["psnr_db"]["8"]["model"] != evaluated["psnr_db"]["8"]["mean_prediction"]
    assert "no file given" in evaluated["distances"]["FID"]["unavailable"]
    assert "FID unavailable" in read_file(out, "MODEL_CARD.md").decode()
    assert evaluated["distances"]["KID"] == evaluated["distances"]["FID"] == evaluated["unavailable"]["FID"]


def test_models_with_different_tokenizers_are_compared_relative_to_copying_the_last_frame(
    tmp_path: Path, checkpoint: Path, store: Path
) -> None:
    flow, out = save_untrained(tmp_path / "flow", family="flow"), tmp_path / "out"
    options = ("--protocol", "paper", "--sensitivity", 0, "--no-ssim", "--out", out, "--sampling", "steps=2")
    run("evaluate", "--checkpoint", checkpoint, flow, "--store", store, *options)
    together = json.loads(read_file(out))
    samplings = [one["settings"]["sampling"] for one in together["checkpoints"].values()]
    assert samplings == [PAPER["masked"].plain(), {**PAPER["flow"].plain(), "steps": 2}]
    [of_model] = [one for one in together["differences"] if one["condition"] == "model"]
    a, b = (together["checkpoints"][label]["psnr_db"]["8"] for label in (of_model["over"], of_model["of"]))
    assert of_model["relative_to_copy_last"] and a["copy_last"] != b["copy_last"], "two tokenizers, two truths"
    gains = [at["model"] - at["copy_last"] for at in (a, b)]
    assert of_model["8"]["mean"] == pytest.approx(gains[1] - gains[0], abs=3e-3)
    assert "model, relative to copy last frame: " in read_file(out, "table.md").decode()


class MeanColours(torch.nn.Module):
    """A stand-in for a network: mean and standard deviation of each colour."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.cat([frames.mean(dim=(2, 3)), frames.std(dim=(2, 3))], dim=1)


class Doubled(TracedLpips):
    """Another LPIPS network."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean([1, 2, 3], keepdim=True) / 2


def networks_in(folder: Path) -> tuple[str, ...]:
    """The options of two stand-ins, saved in the folder."""
    colours, eye = script(MeanColours(), folder / "colours.pt"), script(TracedLpips(), folder / "eye.pt")
    return "--extractor", f"script={colours}", "--lpips", f"script={eye}"


def test_two_ranks_write_the_same_files_as_one_with_distances_over_a_local_network(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch, capsys
) -> None:
    networks = networks_in(tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    options = ("--checkpoint", checkpoint, "--store", store, *FEW, *networks)
    run("evaluate", *options, "--out", one)
    run("evaluate", *options, "--out", two, "--rank", 1, "--world-size", 2)
    assert "Rank 1 is done" in capsys.readouterr().out and not (two / "evaluation.json").exists()
    monkeypatch.setenv("RANK", "0")  # as torchrun sets it
    monkeypatch.setenv("WORLD_SIZE", "2")
    run("evaluate", *options, "--out", two)
    for name in ("evaluation.json", "table.md", "evaluation.html", "contact_sheet.png"):
        assert read_file(one, name) == read_file(two, name), name
    distances = json.loads(read_file(one))["distances"]["FD-colours"]
    assert set(distances) == {"model", "copy_last", "tokenizer"}
    assert distances["copy_last"]["distance"] < distances["model"]["distance"], "true frames are closer to the truth"
    assert {(one["windows"], one["episodes"], one["seed"]) for one in distances.values()} == {(6, 2, 0)}
    assert "FD-colours" in read_file(one, "MODEL_CARD.md").decode()


def test_the_files_of_several_checkpoints_are_written_whichever_rank_ends_last_with_each(
    tmp_path: Path, checkpoint: Path, store: Path, monkeypatch
) -> None:
    evaluate_rank, begun = Evaluation.evaluate, []

    def behind_then_ahead(self, partial_results, *, rank, ranks, progress) -> None:
        """Rank 0 ends with the first checkpoint before rank 1 begins, and with the second after rank 1 ends."""
        begun.append((self, partial_results))
        if len(begun) == 2:
            for evaluation, parts in begun:
                evaluate_rank(evaluation, parts, rank=1, ranks=ranks)
        evaluate_rank(self, partial_results, rank=rank, ranks=ranks, progress=progress)

    monkeypatch.setattr(Evaluation, "evaluate", behind_then_ahead)
    options = ("--checkpoint", checkpoint, checkpoint, "--store", store, "--rank", 0, "--world-size", 2)
    run("evaluate", *options, "--out", tmp_path / "out", *FEW)
    assert (tmp_path / "out/evaluation.json").exists()


def test_every_file_has_kernel_distances_and_lpips_and_all_but_the_table_the_sha256_of_their_networks(
    tmp_path: Path, checkpoint: Path, store: Path
) -> None:
    out, networks = tmp_path / "out", networks_in(tmp_path)
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, *networks)
    evaluated = json.loads(read_file(out))
    kernel = evaluated["distances"]["KD-colours"]
    # 6 windows of 8 frames: fewer than a subset of 1,000
    assert set(kernel) == {"model", "copy_last", "tokenizer"} and kernel["model"]["subset_size"] == 48
    assert kernel["copy_last"]["mean"] < kernel["model"]["mean"] and kernel["model"]["subsets"] == 1
    # The stand-in for LPIPS is a mean square of values in [-1, 1] over 4: the error that PSNR is made from.
    for of in evaluated["conditions"].values():
        assert len(of["by_frame"]["lpips"]) == 8
        assert of["mean"]["lpips"] == pytest.approx(10 ** (-of["mean"]["pooled_psnr_db"] / 10), abs=1e-3)
    sums = {metric: network.partition(":") for metric, network in evaluated["networks"].items()}
    assert {metric: name for metric, (name, _, _) in sums.items()} == {
        "FD-colours": "colours",
        "KD-colours": "colours",
        "LPIPS": "LPIPS-eye",
    }
    for name in ("table.md", "evaluation.html", "MODEL_CARD.md"):
        text = read_file(out, name).decode()
        assert "KD-colours" in text and "LPIPS" in text, name
        assert (sums["LPIPS"][2] in text) == (name != "table.md")
    assert "LPIPS at each frame ahead" in read_file(out, "evaluation.html").decode()


def test_resuming_with_another_network_is_rejected_by_its_metric(
    tmp_path: Path, checkpoint: Path, store: Path, capsys
) -> None:
    options = ("--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "out", *FEW, *networks_in(tmp_path))
    run("evaluate", *options)
    other = script(Doubled(), tmp_path / "other.pt")
    reject("evaluate", *options, "--lpips", f"script={other}")
    assert "networks.LPIPS LPIPS-other:" in capsys.readouterr().err


def test_a_metric_without_its_file_is_unavailable_in_every_file_and_the_others_are_evaluated(
    tmp_path: Path, checkpoint: Path, store: Path, capsys
) -> None:
    out, nowhere = tmp_path / "out", tmp_path / "nowhere.pt"
    options = ("--lpips", f"vgg16={nowhere}", "--extractor", f"inception={nowhere}", f"i3d={nowhere}", "script=")
    run("evaluate", "--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, *options)
    evaluated = json.loads(read_file(out))
    distances = {"FID", "KID", "FVD", "KVD", "FD-", "KD-"}
    assert set(evaluated["distances"]) == distances and evaluated["networks"] == {}
    assert set(evaluated["unavailable"]) == distances | {"LPIPS", "MS-SSIM"}
    assert "nowhere.pt" in evaluated["unavailable"]["LPIPS"]["unavailable"]
    assert "176 pixels" in evaluated["unavailable"]["MS-SSIM"]["unavailable"], "the frames have 16"
    assert set(evaluated["conditions"]["model"]["mean"]) == {"psnr_db", "pooled_psnr_db", "ssim"}
    printed = capsys.readouterr().out
    for text in (
        printed,
        *(read_file(out, name).decode() for name in ("table.md", "evaluation.html", "MODEL_CARD.md")),
    ):
        assert all(f"{metric} unavailable: " in text for metric in ("LPIPS", "MS-SSIM", "FID", "KID", "FVD"))
    assert printed.index("LPIPS unavailable") < printed.index("PSNR in dB"), "reported before hours of prediction"


def test_a_network_that_fails_on_short_clips_is_reported_before_any_prediction_and_in_every_file(
    tmp_path: Path, checkpoint: Path, store: Path, capsys
) -> None:
    out, network = tmp_path / "out", script(WantsLong(), tmp_path / "long.pt")
    options = ("--checkpoint", checkpoint, "--store", store, "--out", out, *FEW, "--extractor", f"i3d={network}")
    run("evaluate", *options)
    evaluated = json.loads(read_file(out))
    assert "[1, 8, 3, 16, 16]" in evaluated["distances"]["FVD"]["unavailable"] and evaluated["networks"] == {}
    printed = capsys.readouterr().out
    assert printed.index("FVD unavailable") < printed.index("PSNR in dB")
    assert "KVD unavailable" in read_file(out, "MODEL_CARD.md").decode()


@pytest.mark.parametrize(("option", "kinds"), [("--lpips", "vgg16 or script"), ("--extractor", "inception or i3d")])
def test_an_unknown_kind_of_network_is_rejected(
    tmp_path: Path, checkpoint: Path, store: Path, capsys, option: str, kinds: str
) -> None:
    reject("evaluate", "--checkpoint", checkpoint, "--store", store, option, "resnet=net.pt")
    assert f"expected {kinds}" in capsys.readouterr().err


def test_a_rank_beyond_the_world_size_is_rejected(tmp_path: Path, checkpoint: Path, store: Path, capsys) -> None:
    options = ("--store", store, "--out", tmp_path / "out", "--rank", 2, "--world-size", 2)
    reject("evaluate", "--checkpoint", checkpoint, *options)
    assert "rank 2 of 2" in capsys.readouterr().err
