"""Training with two processes over gloo on the CPU. One pair of processes performs all runs; the tests compare them."""

import shutil
from pathlib import Path

import pytest
import torch
from tiny_training import CASES, STEPS, STOP, Clips, of_two, run, run_and_stop, trainer
from torch._dynamo.utils import counters
from torch.utils.data import DataLoader

from hwm_core.data.batches import stack
from hwm_core.errors import BadConfig
from hwm_core.train.broken_step import read_broken_step
from hwm_core.train.parallel import Sharded
from hwm_core.train.ranks import Ranks
from hwm_core.train.state import newest_state

# Sums over two halves round differently from sums over the whole batch; four steps of AdamW amplify it.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}
BOTH = pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
FAMILIES = pytest.mark.parametrize("family", list(CASES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of the pair's runs; `<family>-alone` holds the state of a single process."""
    path = tmp_path_factory.mktemp("pair")
    for family in CASES:
        (path / f"{family}-alone").mkdir()
        run_and_stop(family, path / f"{family}-alone")
    torch.multiprocessing.spawn(of_two, (path,), nprocs=2)
    return path


@pytest.fixture(scope="module")
def found(folder) -> list[dict]:
    """The results of both processes."""
    return [torch.load(folder / f"found_{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def alone() -> dict[str, dict]:
    return {family: run(family) for family in CASES}


@BOTH
@FAMILIES
def test_two_ranks_have_the_loss_curve_of_one_process(found, alone, family, parallel):
    seen = found[0][family, parallel]["whole"]
    assert len(seen["losses"]) == STEPS
    torch.testing.assert_close(seen["losses"], alone[family]["losses"], **TOLERANCE)
    torch.testing.assert_close(seen["validation"], alone[family]["validation"], **TOLERANCE)


@BOTH
def test_two_ranks_with_two_micro_batches_have_the_loss_curve_of_one_process(found, alone, parallel):
    seen = found[0]["masked", parallel]["parts"]
    torch.testing.assert_close(seen["losses"], alone["masked"]["losses"], **TOLERANCE)


@FAMILIES
def test_micro_batches_have_the_loss_curve_of_whole_batches(alone, family):
    torch.testing.assert_close(run(family, accumulation=4)["losses"], alone[family]["losses"], **TOLERANCE)


@BOTH
@FAMILIES
def test_a_run_resumed_by_two_ranks_ends_with_the_same_bits(found, family, parallel):
    seen = found[0][family, parallel]
    assert seen["resumed"]["losses"] == seen["whole"]["losses"][STOP:]
    for resumed, whole in zip(seen["resumed"]["weights"], seen["whole"]["weights"], strict=True):
        assert torch.equal(resumed, whole)


@BOTH
@FAMILIES
def test_a_state_of_one_process_resumes_with_two_ranks(found, alone, family, parallel):
    seen = found[0][family, parallel]["from one"]
    torch.testing.assert_close(seen["losses"], alone[family]["losses"][STOP:], **TOLERANCE)
    torch.testing.assert_close(seen["validation"], alone[family]["validation"], **TOLERANCE)


@BOTH
@FAMILIES
def test_a_state_of_two_ranks_resumes_with_one_process(found, folder, alone, family, parallel):
    newest = newest_state(folder / f"{family}-{parallel}")
    assert newest is not None and newest.is_dir() == (parallel == "fsdp")
    seen = run(family, folder=folder / f"{family}-{parallel}")
    torch.testing.assert_close(seen["losses"], alone[family]["losses"][STOP:], **TOLERANCE)
    torch.testing.assert_close(seen["weights"], found[0][family, parallel]["whole"]["weights"], rtol=1e-3, atol=1e-4)


@BOTH
@FAMILIES
def test_all_ranks_stop_when_one_rank_is_stopped(found, family, parallel):
    assert [seen[family, parallel]["stopped"] for seen in found] == [STOP, STOP]


@BOTH
def test_only_the_first_rank_reports_evaluates_and_returns_the_result(found, parallel):
    first, second = (seen["masked", parallel]["whole"] for seen in found)
    assert first["losses"] and first["validation"] and first["weights"]
    assert not second["losses"] and not second["validation"]
    assert second["step"] == first["step"] == STEPS


@BOTH
def test_a_gradient_that_is_not_finite_on_one_rank_ends_all_ranks_and_its_step_can_be_computed_again(
    found, folder, parallel
):
    first, second = (seen["flow", parallel]["broken"] for seen in found)
    assert first == second and "expected finite numbers, got norm nan" in first
    broken = read_broken_step(folder / f"{parallel}.pt")
    assert broken.batch.actions.isnan().any() and len(broken.batch) == 4  # the windows of both ranks
    again = trainer("flow")[0].replay(broken)
    assert not torch.tensor([again.loss, broken.loss]).isfinite().any()
    assert again.parameters == broken.parameters != ()
    frozen = {name for name, p in trainer("flow")[0].module.named_parameters() if not p.requires_grad}
    assert frozen and not frozen & set(broken.parameters)


def test_activation_checkpointing_gives_the_same_gradient(alone):
    # The same operations on the same numbers and dropout masks: bit-identical.
    for changes in ({}, {"dropout": 0.3}):
        plain, again = (
            trainer("masked", model=changes, activation_checkpointing=recompute)[0] for recompute in (False, True)
        )
        for made in (plain, again):
            made.train_step(next(iter(DataLoader(Clips("masked"), batch_size=4, collate_fn=stack))))
        for one, other in zip(plain.module.parameters(), again.module.parameters(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize(("recompute", "times"), [(False, 1), (True, 2)])
@FAMILIES
def test_a_blocks_forward_runs_once_per_step_and_twice_with_activation_checkpointing(family, recompute, times):
    made, ran = trainer(family, activation_checkpointing=recompute)[0], []
    blocks = list(made.module.backbone.blocks)
    for number, block in enumerate(blocks):
        block.attention[0].register_forward_hook(lambda *_, number=number: ran.append(number))
    made.train_step(next(iter(DataLoader(Clips(family), batch_size=4, collate_fn=stack))))
    assert sorted(ran) == sorted(times * list(range(len(blocks))))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("recompute", [False, True])
@FAMILIES
def test_compiled_blocks_have_the_loss_curve_of_uncompiled_blocks(alone, family, recompute):
    torch.compiler.reset()  # otherwise the graphs of the previous run are used again
    counters.clear()
    seen = run(family, compile=True, activation_checkpointing=recompute)
    assert counters["stats"]["unique_graphs"] > 0 and not counters["graph_break"]
    torch.testing.assert_close(seen["losses"], alone[family]["losses"], rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@FAMILIES
def test_micro_batches_have_the_loss_curve_of_whole_batches_on_a_gpu(family):
    whole, parts = (run(family, Ranks(torch.device("cuda")), accumulation=parts) for parts in (1, 2))
    torch.testing.assert_close(parts["losses"], whole["losses"], rtol=1e-3, atol=1e-4)


def test_muon_is_rejected_with_sharded_matrices():
    made, _ = trainer("masked")
    config = made.config.model_copy(update={"optimiser": "muon"})
    with pytest.raises(BadConfig, match="orthogonalises full matrices"):
        Sharded(made.task, config, Ranks(size=2))


def test_a_batch_size_that_ranks_and_micro_batches_do_not_divide_is_rejected():
    with pytest.raises(BadConfig, match="a multiple of 6: 3 processes, `accumulation` 2"):
        trainer("masked", Ranks(size=3), accumulation=2)
