"""1X's compression track: from tokens to a valid archive, and what no archive may be."""

import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from onex_sets import compression_test_v2, tokens_v1, tokens_v2

from hwm_core.challenge.compression import compress, counterfactual_actions
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.challenge.submission import ArchiveLayout, check_sample, validate_archive, write_archive
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.onex_metadata import COSMOS
from hwm_core.errors import BadBag, BadCheckpoint, BadConfig
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.registry import build_model

SMALL = {"dim": 16, "depth": 1, "num_heads": 2, "vocabulary": "factorised", "init": "fan_in"}
V2 = {
    "levels": [8, 8, 8, 5, 5, 5],
    "grid": [32, 32],
    "temporal_factor": 8,
    "num_past_latents": 3,
    "num_future_latents": 3,
}
V1 = {"levels": [512, 512], "grid": [16, 16], "temporal_factor": 1, "num_past_latents": 3, "num_future_latents": 1}
SUFFIXES = (".MODEL_CARD.md", ".json", ".table.md", ".zip")
DEAF = "teacher_forced_no_actions"


def checkpoint(names=EVE_STATES, hz: float = 30.0, **config) -> Checkpoint:
    """Untrained; no tokenizer is asked anything here."""
    torch.manual_seed(0)
    values = np.random.default_rng(0).normal(size=(20, len(names)))
    model = build_model("masked", {**SMALL, "action_dim": len(names), **config})
    # Gates that are zero at the start would hide the actions.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return Checkpoint(
        name="small",
        family="masked",
        model=model.eval(),
        tokenizer=None,
        manifest=fit_manifest("1x_eve", "states", names, ["rad"] * len(names), values),
        preprocessing=Preprocessing(source_aspect=1.0, height=256, width=256, frame_rate_hz=hz),
        sha256="0" * 64,
    )


def samples_of(path, one: Checkpoint, **options):
    return open_samples(path, one, **options)


def test_test_samples_keep_their_numbers_and_of_64_states_those_of_their_34_frames(tmp_path) -> None:
    samples = samples_of(compression_test_v2(tmp_path / "test", numbers=(2, 11)), checkpoint(**V2))
    assert [(sample.number, sample.seen.shape, sample.truth) for sample in samples] == [
        (2, (3, 32, 32), None),
        (11, (3, 32, 32), None),
    ]
    assert samples[1].actions.shape == (41, 25)  # as the model counts them: 1 + 5 * 8


def test_samples_whose_truth_is_known_are_judged_beside_baselines(tmp_path) -> None:
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    samples = [random_sample(one, number=number) for number in range(4)]
    report = compress(Compressor(one, top=20), samples, tmp_path / "out.zip", batch=3)
    assert report == json.loads((tmp_path / "out.json").read_text())
    assert (report["samples"], report["tokens"]) == (4, 4 * 3 * 2 * 2)
    assert report["baselines"]["uniform"] == pytest.approx(math.log(20))
    for row in report["rows"].values():  # of all codes, Top-k CE is the CE
        assert row["top_20_ce"] == pytest.approx(row["ce"], rel=1e-5) and row["hit_rate"] == 1.0
    assert report["rows"]["model"]["ce"] != report["rows"]["none"]["ce"], "the actions are heard"
    assert report["rows"]["model"]["ce"] != report["rows"]["teacher_forced"]["ce"], "and so are the true grids"
    assert report["rows"]["model"]["ce"] != report["rows"]["shuffled"]["ce"], "another motion is another future"
    ce = {row: numbers["top_20_ce"] for row, numbers in report["rows"].items()} | report["baselines"]
    for other in ("shuffled", "none", "copy_last"):
        assert report["gain_over"][other]["mean"] == pytest.approx(ce[other] - ce["model"])
        assert report["gain_over"][other]["low"] is None, "2 takes give no interval"
    # Copying with the one best probability p costs the entropy of p, and the choice among 19 codes of the others.
    p = report["baselines"]["copy_last_accuracy"]
    assert ce["copy_last"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log((1 - p) / 19))
    for row in report["rows"].values():
        assert (row["samples"], row["takes"], row["seed"]) == (4, 2, 0)
    table = (tmp_path / "out.table.md").read_text()
    assert "| 4 samples of 2 takes, seed 0 | Top-20 CE |" in table and "model below shuffled actions | " in table
    card = (tmp_path / "out.MODEL_CARD.md").read_text()
    assert table in card and "Robot 1x_eve" in card and "Fewer than 5 takes" in card


def test_shuffled_is_the_motion_of_another_take_from_the_sample_s_own_state_within_the_joint_limits() -> None:
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    samples = [random_sample(one, number) for number in range(4)]  # two takes of two samples
    past, lower, upper = one.model.config.past_frames, one.manifest.lower, one.manifest.upper
    for sample, recipient in zip(samples, counterfactual_actions(samples, Compressor(one)), strict=True):
        assert np.array_equal(recipient.actions[:past], sample.actions[:past])
        own = sample.actions[past - 1]
        donors = [other for other in samples if other.take != sample.take]
        played = [np.clip(own + other.actions[past:] - other.actions[past - 1], lower, upper) for other in donors]
        assert any(np.allclose(recipient.actions[past:], each, atol=1e-6) for each in played)
    assert counterfactual_actions(samples[:1], Compressor(one)) == []


def test_the_ranked_codes_are_those_of_the_model_s_own_distribution() -> None:
    # A small vocabulary, so that all codes can be ranked: the log-probabilities are the log-softmax of `forward`.
    config = {**V2, "levels": [5, 4], "grid": [2, 2]}
    one = checkpoint(**config)
    sample = random_sample(one)
    found = Compressor(one, top=20).predict([sample])
    tokens = torch.from_numpy(np.concatenate([sample.seen, sample.truth]))[None]
    sites = one.model.to_sites(tokens).clone()
    sites[:, 3:] = one.model.vocabulary.mask_token
    with torch.no_grad():
        logits = one.model(sites, torch.from_numpy(one.manifest.normalise(sample.actions))[None])
    fives, fours = (part.log_softmax(-1) for part in logits.split([5, 4], dim=-1))
    every = (fours[..., :, None] + fives[..., None, :]).flatten(-2)  # code = five + 5 * four
    wanted = every.sort(-1, descending=True)
    assert torch.allclose(found.log_probs, wanted.values, atol=1e-4)
    assert torch.equal(found.codes[..., 0].long(), wanted.indices[..., 0])
    assert torch.allclose(found.of_truth, every.gather(-1, tokens[:, 3:, ..., None])[..., 0], atol=1e-4)


def test_patches_and_a_flat_vocabulary_give_each_token_its_codes() -> None:
    for changes in ({"patch": 2}, {"vocabulary": "flat"}):
        one = checkpoint(**{**V2, "levels": [5, 4], "grid": [4, 4], **changes})
        found = Compressor(one, top=6).predict([random_sample(one)])
        assert found.codes.shape == (1, 3, 4, 4, 6)
        check_sample("sample", arrays_of(found), ArchiveLayout(3, 4, 4, 20, 6))


def test_one_grid_after_the_other_hears_what_was_drawn_and_the_first_is_as_in_one_pass() -> None:
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    sample = random_sample(one)
    at_once = Compressor(one, top=20).predict([sample])
    in_turn = Compressor(one, top=20, sampling=Sampling(parallel=False)).predict([sample])
    assert torch.allclose(at_once.log_probs[:, 0], in_turn.log_probs[:, 0], atol=1e-4)
    assert not torch.allclose(at_once.log_probs[:, 1], in_turn.log_probs[:, 1], atol=1e-4)


def test_the_truth_is_heard_by_the_teacher_forced_row_alone() -> None:
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    sample = random_sample(one)
    other = random_sample(one, seed=1)
    changed = type(sample)(sample.number, 0, sample.seen, sample.actions, other.truth)
    compressor = Compressor(one, top=20)
    for row, heard in (("model", False), ("none", False), ("teacher_forced", True), (DEAF, True)):
        a, b = compressor.predict([sample], row), compressor.predict([changed], row)
        assert torch.equal(a.log_probs, b.log_probs) != heard, row
    forced = compressor.predict([sample], "teacher_forced"), compressor.predict([changed], "teacher_forced")
    assert torch.equal(forced[0].log_probs[:, 0], forced[1].log_probs[:, 0]), "no grid hears itself"


def test_rows_without_actions_hear_those_of_the_past_neither() -> None:
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    sample = random_sample(one)
    moved = replace(sample, actions=sample.actions + 1)
    compressor = Compressor(one, top=20)
    for row, heard in (("model", True), ("teacher_forced", True), ("none", False), (DEAF, False)):
        a, b = compressor.predict([sample], row), compressor.predict([moved], row)
        assert torch.equal(a.log_probs, b.log_probs) != heard, row


def test_a_clip_that_straddles_a_cut_or_is_partial_is_never_predicted_nor_seen(tmp_path) -> None:
    one = checkpoint(**V2)
    # 125 frames are seven whole clips and 6 frames over; the cut at 20 spoils clip 1.
    samples = samples_of(tokens_v2(tmp_path / "val", frames=(125,), cut=20), one)
    # A clip holds its number: 2 then 3, and 4 then 5; 6 is left over, and the partial 7 is not used.
    assert [(sample.seen[0, 0, 0], sample.truth[0, 0, 0]) for sample in samples] == [(2, 3), (4, 5)]
    # Frame t has state t. The second clip's first grid is one frame, which the model counts eight times.
    counted = [*range(17), *[17] * 8, *range(18, 34)]
    assert samples[0].actions[:, 7].tolist() == [34 + frame for frame in counted]
    with pytest.raises(BadBag, match="without a cut"):
        samples_of(tokens_v2(tmp_path / "short", frames=(51,), cut=20), one)


def test_samples_resemble_each_other_by_take_so_that_one_flat_shard_gives_an_interval(tmp_path) -> None:
    # Like 1X's validation set one shard: six takes, of 4, 2, 2, 2, 2 and 2 clips. A window is two clips.
    path = tokens_v2(tmp_path / "val", frames=(238, 34), cut=(68, 102, 136, 170, 204))
    samples = samples_of(path, checkpoint(**V2))
    # The second shard holds no frame 68: it is the last take of all.
    assert [sample.take for sample in samples] == [0, 0, 1, 2, 3, 4, 5, 6]
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    evaluated = [replace(random_sample(one, number), take=sample.take) for number, sample in enumerate(samples)]
    report = compress(Compressor(one, top=20), evaluated, tmp_path / "out.zip")
    assert report["takes"] == 7
    for gained in report["gain_over"].values():
        assert gained["low"] < gained["mean"] < gained["high"]


def test_frames_of_v1_are_left_out_to_match_the_model_s_rate(tmp_path) -> None:
    path = tokens_v1(tmp_path / "val", frames=40, cut=12)
    names = open_tokens(path)[0].names
    slow = checkpoint(names, hz=10.0, **V1)
    samples = samples_of(path, slow)
    # Frame t holds code 200,000 + t. The first take is 0..11, a window spans 10 frames: 0, then 12 and 22.
    assert [(int(s.seen[0, 0, 0]), int(s.truth[0, 0, 0])) for s in samples] == [
        (200_000, 200_009),
        (200_012, 200_021),
        (200_022, 200_031),
    ]
    assert samples[1].actions[:, 3].tolist() == [12, 15, 18, 21]
    report = compress(Compressor(slow), samples[:1], tmp_path / "out.zip")
    assert report["baselines"]["uniform"] == pytest.approx(math.log(2**18))
    with pytest.raises(BadCheckpoint, match="30 Hz"):
        samples_of(path, checkpoint(names, hz=7.0, **V1))


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path, monkeypatch) -> None:
    one = checkpoint(**{**V2, "levels": [5, 4], "grid": [2, 2]})
    samples = [random_sample(one, number=number) for number in range(4)]
    compressor = Compressor(one, sampling=Sampling(parallel=False, temperature=1.0, order="random"), top=20)
    whole = compress(compressor, samples, tmp_path / "whole.zip", batch=2)

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(compressor, samples, tmp_path / "part.zip", batch=2, progress=stop)
    assert not (tmp_path / "part.zip").exists()
    begun = {path.name for path in (tmp_path / "part.zip.unfinished").iterdir()}
    assert begun == {"settings.json", "lock", "0.npz", "0.json", "1.npz", "1.json"}
    with pytest.raises(BadConfig, match="the seed it was begun with"):
        compress(
            Compressor(one, sampling=compressor.sampling, top=20, seed=1),
            samples,
            tmp_path / "part.zip",
            batch=2,
        )
    assert compress(compressor, samples, tmp_path / "part.zip", batch=2) == whole
    assert (tmp_path / "part.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()
    written = [f"{name}{suffix}" for name in ("part", "whole") for suffix in SUFFIXES]
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    with pytest.raises(BadConfig, match="one that exists"):
        compress(compressor, samples, tmp_path / "part.zip", batch=2)


def test_models_of_another_shape_or_family_are_rejected(tmp_path) -> None:
    path = tokens_v2(tmp_path / "val")
    for changes in ({"num_past_latents": 2}, {"grid": [16, 16]}, {"levels": [8, 8, 8]}):
        with pytest.raises(BadCheckpoint, match="num_past_latents"):
            samples_of(path, checkpoint(**{**V2, **changes}))
    flow = build_model(
        "flow", {"dim": 24, "depth": 1, "num_heads": 2, "latent_channels": 3, "patch": 1, "grid": [2, 2]}
    )
    with pytest.raises(BadCheckpoint, match="masked"):
        Compressor(Checkpoint("flow", "flow", flow, None, None, None))


def test_codes_of_another_tokenizer_are_rejected_by_its_sha256(tmp_path) -> None:
    path = tokens_v2(tmp_path / "val")
    metadata = json.loads((path / "metadata.json").read_text())
    made_by = COSMOS.model_copy(update={"kind": "causal", "sha256": "1" * 64})
    (path / "metadata.json").write_text(json.dumps({**metadata, "hwm": {"tokenizer": made_by.plain()}}))
    one = checkpoint(**V2)
    for codes in (made_by, COSMOS):  # COSMOS was not at hand: its weights are unknown
        assert samples_of(path, replace(one, metadata={"tokenizer_spec": codes.plain()}))
    other = made_by.model_copy(update={"sha256": "2" * 64})
    with pytest.raises(BadConfig, match=f"expected sha256 {'2' * 64}, got sha256 {'1' * 64}. Use a checkpoint trained"):
        samples_of(path, replace(one, metadata={"tokenizer_spec": other.plain()}))
    coarse = COSMOS.model_copy(update={"spatial_factor": 16})
    with pytest.raises(BadConfig, match="spatial_factor 16"):
        samples_of(compression_test_v2(tmp_path / "test"), replace(one, metadata={"tokenizer_spec": coarse.plain()}))


def random_sample(one: Checkpoint, number: int = 0, seed: int = 0):
    from hwm_core.challenge.grid_samples import GridSample

    random, config = np.random.default_rng([seed, number]), one.model.config
    codes = random.integers(20, size=(6, *config.grid))
    actions = random.normal(size=(41, one.manifest.dim)).astype(np.float32)
    return GridSample(number, number // 2, codes[:3], actions, codes[3:])


def arrays_of(found):
    return {"indices": found.codes[0].numpy(), "values": found.log_probs[0].numpy()}


TINY = ArchiveLayout(grids=1, height=2, width=2, vocabulary=10, top=3)


def good(number: int = 0) -> dict[str, np.ndarray]:
    codes = np.broadcast_to(
        np.array([number % 10, (number + 1) % 10, (number + 2) % 10], np.int32), (1, 2, 2, 3)
    ).copy()
    return {"indices": codes, "values": np.log(np.broadcast_to([0.5, 0.3, 0.1], (1, 2, 2, 3))).astype(np.float32)}


def with_(key: str, value) -> dict[str, np.ndarray]:
    return {**good(), key: value}


FAULTS = {
    "a rounded type": (lambda: with_("values", good()["values"].astype(np.float64)), "float32"),
    "wide codes": (lambda: with_("indices", good()["indices"].astype(np.int64)), "int32"),
    "a shape": (lambda: with_("indices", good()["indices"][0]), r"\[1, 2, 2, 3\]"),
    "one array": (lambda: {"indices": good()["indices"]}, "`indices` and `values`"),
    "a code twice": (lambda: with_("indices", np.zeros((1, 2, 2, 3), np.int32)), "one of them twice"),
    "no code": (lambda: with_("indices", good()["indices"] + 8), "codes 0 to 9"),
    "NaN": (lambda: with_("values", np.full((1, 2, 2, 3), np.nan, np.float32)), "NaN"),
    "unsorted": (lambda: with_("values", good()["values"][..., ::-1].copy()), "likeliest code first"),
    "raw logits": (lambda: with_("values", good()["values"] + 3), "log_softmax"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_sample_is_rejected_with_what_is_wrong_and_where(fault) -> None:
    make, told = FAULTS[fault]
    check_sample("sample 0", good(), TINY)
    with pytest.raises(BadBag, match=told):
        check_sample("sample 0", make(), TINY)


def archive(path, numbers, pattern: str = "{number}.npz"):
    files = {}
    for number in numbers:
        files[number] = path.parent / f"s{number}.npz"
        np.savez(files[number], **good(number))
    write_archive(path, files, TINY, pattern)
    return path


def test_an_archive_lacks_no_sample_and_holds_no_other(tmp_path) -> None:
    path = archive(tmp_path / "a.zip", [0, 1, 3], "sample_{number}.npz")
    assert zipfile.ZipFile(path).namelist() == ["sample_0.npz", "sample_1.npz", "sample_3.npz"]
    assert validate_archive(path, TINY, [0, 1, 3]) == 3
    with pytest.raises(BadBag, match="without 2"):
        validate_archive(path, TINY)
    with pytest.raises(BadBag, match="others too: 3"):
        validate_archive(path, TINY, [0, 1])
    with pytest.raises(BadConfig, match="number"):
        write_archive(tmp_path / "b.zip", {}, TINY, "sample.npz")
    np.savez(tmp_path / "bad.npz", **with_("values", good()["values"] + 3))
    with pytest.raises(BadBag, match="log_softmax"):
        write_archive(tmp_path / "b.zip", {0: tmp_path / "bad.npz"}, TINY)
    assert not (tmp_path / "b.zip").exists()


def test_a_damaged_archive_is_rejected_with_a_sentence(tmp_path) -> None:
    whole = archive(tmp_path / "a.zip", [0, 1]).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.zip").write_bytes(whole[:200] + bytes([whole[200] ^ 0xFF]) + whole[201:])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme.txt", "hello")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as twice:
        for name in ("a_1.npz", "b_1.npz"):
            twice.writestr(name, (tmp_path / "s1.npz").read_bytes())
    for name, told in (
        ("cut", "whole zip|named by number"),
        ("flipped", "zip archive|an .npz"),
        ("other", "readme"),
        ("twice", "sample 1 twice"),
        ("absent", "No such file"),
    ):
        with pytest.raises(BadBag, match=told):
            validate_archive(tmp_path / f"{name}.zip", TINY)
