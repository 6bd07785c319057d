"""The benchmark commands at toy size. How fast anything is, no test asks."""

import json
from pathlib import Path

import numpy as np
import pytest
from toy_store import episodes, write_toy_store
from untrained import CONTINUOUS, TOKENIZER

from benchmarks import page
from benchmarks.peer import comparison as peer_comparison
from benchmarks.readers import measure as readers
from benchmarks.record import command_line
from benchmarks.scale import measure as paper_scale
from benchmarks.tiny import comparison as tiny_comparison
from benchmarks.tiny.equal_size import overrides, parameters
from benchmarks.tiny.runs import FAMILIES, PACE, VARIANTS, missing, read_runs
from benchmarks.tiny.table import report
from benchmarks.tiny.throughput import Pace, read_pace
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.world_model.checkpoint import save_tokenizer

TOY = ["model.dim=24", "model.depth=1", "model.num_heads=2"]


def made_up(folder: Path, family: str, variant: str, seed: int, level: float, **changes: object) -> None:
    """A result of 5 episodes whose every decoding has `level` dB, and 1 dB less with another's motion."""
    decodings = ("mean_future", "single", "mean_of_4")
    episodes = np.array([[0.2], [0.1], [0.0], [-0.1], [-0.2]]) + np.zeros(3)
    rows = {name: (level + episodes).tolist() for name in decodings}
    rows |= {f"{name}/shuffled": (level - 1 + episodes).tolist() for name in decodings}
    rows |= {"copy_last": (15 + episodes).tolist(), "tokenizer": (30 + episodes).tolist()}
    result = {
        "command": "made up",
        "date": "2000-01-01",
        "machine": {"cpu": "one", "torch": "2"},
        "n": {"episodes": 5, "windows": 5, "samples_of_mean": 4},
        "family": family,
        "variant": variant,
        "seed": seed,
        "steps": 10,
        "parameters": 4_000_000,
        "horizons": [8, 16, 24],
        "psnr_db": rows,
        **changes,
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{family}_{variant}_{seed}.json").write_text(json.dumps(result))


def all_first_seeds(folder: Path, masked: float, flow: float) -> None:
    """All eight models; `split` is the best of its family by 1 dB."""
    for family, level in (("masked", masked), ("flow", flow)):
        for variant in VARIANTS:
            made_up(folder, family, variant, 0, level + (variant == "split"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_flow_model_of_a_comparison_has_the_parameters_of_the_masked_one_within_one_percent(variant):
    counts = {family: parameters(family, overrides(family, variant, (64, 64), 16), (64, 64), 16) for family in FAMILIES}
    assert counts["flow"] == pytest.approx(counts["masked"], rel=0.01)


def test_the_variants_of_a_comparison_differ_in_size():
    masked = {parameters("masked", overrides("masked", variant, (64, 64), 16), (64, 64), 16) for variant in VARIANTS}
    assert len(masked) == 4  # with all four blocks unshared, as in the paper's first four, three would be one model


@pytest.mark.parametrize(("masked", "flow", "verdict"), [(20, 19, "confirmed"), (19, 20, "refuted")])
def test_a_claim_is_judged_by_which_side_the_whole_interval_lies_on(tmp_path, masked, flow, verdict):
    all_first_seeds(tmp_path, masked, flow)
    claim, sharing = report(tmp_path).split("**Claim: ")[1:]
    assert f"| one sample | 16 | {masked - flow:+.2f}" in claim and claim.count(f"| {verdict} |") == 9
    each = f"{masked - flow:+.2f} ({masked - flow:+.2f} to {masked - flow:+.2f})"
    assert f"Variant against variant, of one size: `base` {each}, `split` {each}," in claim
    assert "| flow | `split` | 0% | -1.00 (-1.00 to -1.00) | confirmed |" in sharing


def test_two_seeds_that_disagree_decide_nothing(tmp_path):
    all_first_seeds(tmp_path, 20, 19)
    made_up(tmp_path, "masked", "split", 1, 17)
    made_up(tmp_path, "flow", "split", 1, 20)
    assert report(tmp_path).count("undecided: seeds differ") == 9


def test_further_seeds_are_asked_for_the_best_variant_of_a_family_when_all_four_have_run(tmp_path):
    assert len(missing([])) == 8
    all_first_seeds(tmp_path, 20, 19)
    made_up(tmp_path, "flow", "split", 1, 20)
    assert missing(read_runs(tmp_path)) == [("masked", "split", 1), ("masked", "split", 2), ("flow", "split", 2)]
    assert report(tmp_path).endswith("Still to run: masked split --seed 1; masked split --seed 2; flow split --seed 2.")


def test_results_of_other_windows_are_not_put_into_one_table(tmp_path):
    made_up(tmp_path, "masked", "split", 0, 20)
    made_up(tmp_path, "masked", "base", 0, 20, n={"episodes": 4, "windows": 3, "samples_of_mean": 4})
    with pytest.raises(BadConfig, match="expected results of the same held-out windows"):
        report(tmp_path)


def test_a_cut_result_is_rejected_by_name(tmp_path):
    (tmp_path / "masked_split_0.json").write_text('{"family": "masked"')
    with pytest.raises(BadConfig, match=r"masked_split_0\.json: expected a result of this benchmark"):
        read_runs(tmp_path)


@pytest.fixture
def store(tmp_path):
    """A store of two of them, and a tokenizer of each family, `masked` and `flow`, beside it."""
    save_tokenizer(tmp_path / "masked", build_tokenizer(TOKENIZER))
    save_tokenizer(tmp_path / "flow", build_tokenizer(CONTINUOUS))
    return write_toy_store(tmp_path / "store")


SETTINGS = ["--set", *TOY, "train.batch_size=2", "data.validation_windows=2"]


def pace(store: Path, minutes: float) -> Pace:
    """Measured over one round."""
    folder = store.parent
    command = ["--results", str(folder / "results"), "pace", "--minutes", str(minutes), "--rounds", "1"]
    command += ["--data", str(store), "--masked", str(folder / "masked"), "--flow", str(folder / "flow"), *SETTINGS]
    assert tiny_comparison.main(command) == 0
    measured = read_pace(folder / "results" / PACE)
    assert measured is not None
    return measured


def test_the_pace_says_how_many_steps_each_model_makes_in_the_same_time(store, tmp_path):
    measured = pace(store, 0.5)
    for family in FAMILIES:
        for variant in VARIANTS:
            each = measured.figures["seconds_per_step"][family][variant]
            assert measured.steps(family, variant) == round(30 / each) > 0
            assert measured.futures(family, variant)["single"]["latents"] > 0
    shown = report(tmp_path / "results")
    assert shown.startswith("No run has ended yet.") and "training steps in 0.5 minutes" in shown


def test_a_run_before_the_pace_is_measured_is_rejected(store, tmp_path, capsys):
    command = ["--results", str(tmp_path / "results"), "run", "flow", "split", "--data", str(store)]
    with pytest.raises(SystemExit):
        tiny_comparison.main([*command, "--tokenizer", str(tmp_path / "flow"), "--out", str(tmp_path / "runs")])
    assert "python -m benchmarks.tiny.comparison pace" in capsys.readouterr().err


def test_a_pace_over_no_round_is_rejected(store, tmp_path, capsys):
    tokenizers = ["--masked", str(tmp_path / "masked"), "--flow", str(tmp_path / "flow")]
    with pytest.raises(SystemExit):
        tiny_comparison.main(["pace", "--data", str(store), *tokenizers, "--rounds", "0"])
    assert "rounds: expected 1 or more, got 0" in capsys.readouterr().err


def test_a_cut_pace_is_rejected_by_name(tmp_path):
    (tmp_path / PACE).write_text('{"minutes": 26}')
    with pytest.raises(BadConfig, match=r"throughput\.json: expected a pace of all eight models"):
        read_pace(tmp_path / PACE)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_trains_for_its_steps_judges_and_is_not_done_twice(store, tmp_path, monkeypatch, capsys, family):
    wanted = pace(store, 0.005).steps(family, "split")
    monkeypatch.setattr(tiny_comparison, "held_out", lambda seeds, _: (episodes()[: len(seeds)], {}))
    command = ["--results", str(tmp_path / "results"), "run", family, "split", "--data", str(store)]
    command += ["--tokenizer", str(tmp_path / family), "--out", str(tmp_path / "runs"), "--episodes", "3", *SETTINGS]
    assert tiny_comparison.main(command) == 0
    (run,) = read_runs(tmp_path / "results")
    assert (run.family, run.variant, run.seed) == (family, "split", 0)
    assert run.figures["steps"] == wanted and run.figures["n"]["windows"] == 3
    assert np.isfinite(run.by_episode("mean_of_4/shuffled", 24)).all()
    assert str(tmp_path) not in run.figures["command"]
    assert f"| {family} | `split` | 0 |" in report(tmp_path / "results")

    capsys.readouterr()
    assert tiny_comparison.main(command) == 0
    assert "is there already" in capsys.readouterr().out


def test_the_paper_scale_command_measures_forward_and_whole_decode_of_both_families(tmp_path, capsys):
    toy = [*TOY, "model.grid=[4, 4]", *(f"tokenizer.{part}=1" for part in ("encoder_blocks", "decoder_blocks"))]
    command = ["--variant", "split", "--device", "cpu", "--repeats", "1", "--decode", "--results", str(tmp_path)]
    assert paper_scale.main([*command, *toy, "tokenizer.width=16"]) == 0
    for family in FAMILIES:
        result = json.loads((tmp_path / f"cpu_{family}_split.json").read_text())
        assert set(result["batches"]["1"]) == {"forward_s", "decode_s", "pictures_s"}
        assert result["forward_tflop"] > 0 and result["machine"]["threads"] == 1
    shown = capsys.readouterr().out
    assert "220,527,616" in shown and "not measured; none was at hand" in shown


PEER = {
    "config": """
from types import SimpleNamespace as GenieConfig
""",
    "st_transformer": """
from xformers.ops import LowerTriangularMask, memory_efficient_attention, unbind
import torch

class STBlockBase(torch.nn.Module):
    def __init__(self):
        raise RuntimeError("the block of another variant")

class STBlockOneStream(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.ones(4, device=torch.cuda.current_device()).cuda()

    def forward(self, x):
        q = x.unflatten(-1, (2, -1))
        return memory_efficient_attention(q, q, q, attn_bias=LowerTriangularMask(), scale=0.5).flatten(-2)
""",
    "st_mask_git": """
import torch
from types import SimpleNamespace
from genie import st_transformer

class STMaskGIT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mask_token_id = config.image_vocab_size
        self.embed = torch.nn.Embedding(self.mask_token_id + 1, 8)
        self.blocks = torch.nn.ModuleList(st_transformer.STBlockBase() for _ in range(config.num_layers))

    def compute_logits_maskgit(self, x_THW, actions=None):
        x = self.embed(x_THW.flatten(1)[:, :64])
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, input_ids, labels, actions=None):
        return SimpleNamespace(loss=self.compute_logits_maskgit(input_ids).square().mean())
""",
}


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A checkout with the released implementation's names and none of its code."""
    folder = tmp_path / "peer" / "Masked-HWM" / "genie"
    folder.mkdir(parents=True)
    for name, source in PEER.items():
        (folder / f"{name}.py").write_text(source)
    yield tmp_path / "peer"
    for module in [name for name in peer_comparison.sys.modules if name.partition(".")[0] == "genie"]:
        monkeypatch.delitem(peer_comparison.sys.modules, module)


def test_both_implementations_are_timed_in_one_run(tmp_path, peer):
    command = ["--peer", str(peer), "--device", "cpu", "--repeats", "1", "--results", str(tmp_path)]
    assert peer_comparison.main([*command, "depth=1", "dim=16", "num_heads=2", "levels=[5, 5]"]) == 0
    result = json.loads((tmp_path / "cpu_depth1.json").read_text())
    assert set(result["seconds"]) == {"forward", "training step"}
    for row in result["seconds"].values():
        assert row["theirs_over_ours"] == pytest.approx(row["theirs"] / row["ours"], rel=0.01)


def test_a_folder_without_the_released_implementation_is_rejected(tmp_path, capsys):
    with pytest.raises(SystemExit):
        peer_comparison.main(["--peer", str(tmp_path)])
    assert "expected a checkout that holds Masked-HWM/genie" in capsys.readouterr().err


def test_the_page_of_figures_says_what_the_results_say():
    assert page.main(["--check"]) == 0


def test_a_page_that_drifted_is_found_and_put_right(tmp_path):
    drifted = tmp_path / "benchmarks.md"
    drifted.write_text("text\n<!-- table peer -->\nour model is fastest\n<!-- end -->\nmore\n")
    options = ["--page", str(drifted), "--results", str(tmp_path)]
    assert page.main([*options, "--check"]) == 1
    assert page.main(options) == 0 and page.main([*options, "--check"]) == 0
    assert drifted.read_text() == "text\n<!-- table peer -->\n\nNot measured yet.\n\n<!-- end -->\nmore\n"


def test_a_command_is_recorded_without_where_things_lie():
    recorded = command_line("benchmarks.tiny.comparison", ["run", "masked", "--data", "/some/where/store"])
    assert recorded == "python -m benchmarks.tiny.comparison run masked --data store"


def test_a_step_that_was_measured_elsewhere_is_given_in_one_form_alone(capsys):
    with pytest.raises(SystemExit):
        readers.main(["--paper-step", "masked=1.2"])
    assert "expected masked=1.2x16" in capsys.readouterr().err
