import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from hwm_core.data.batches import Batch, stack
from hwm_core.errors import BadCheckpoint, BadInput
from hwm_core.rng.batch_rows import normal
from hwm_core.train.broken_step import BadGradient, read_broken_step, write_broken_step
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_average, build_optimisers
from hwm_core.train.order import BatchOrder
from hwm_core.train.schedule import learning_rate_factor
from hwm_core.train.state import read_state, write_state
from hwm_core.train.throughput import TrainingFlops
from hwm_core.train.trainer import Trainer


@dataclass(frozen=True)
class Points(Batch):
    x: torch.Tensor  # [B, 2]
    y: torch.Tensor  # [B, 1]


class Lines(torch.utils.data.Dataset):
    """Sixteen points of a line, with noise."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> Points:
        x = torch.tensor([index / 16.0, 1.0])
        return Points(x, 3.0 * x[:1] - 1.0)


class Regression:
    """A trainee with everything random that training has: dropout, and noise from the generator."""

    def __init__(self, dropout: float = 0.5, noise: float = 0.1) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.Dropout(dropout), nn.Linear(8, 1))
        self.noise = noise

    def loss(self, batch, generator):
        noise = self.noise * normal(batch.x.shape, generator)
        loss = (self.module(batch.x + noise) - batch.y).square().mean()
        return loss, {"error": loss.detach()}

    def tokens(self, batch):
        return 2 * len(batch.x)


def config(**changes) -> TrainingConfig:
    values = {
        "steps": 7,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "ema_decay": 0.9,
        "precision": "float32",
    }
    return TrainingConfig.parse({**values, **changes})


def stop_after(trainer: Trainer, step: int):
    return lambda: trainer.step >= step


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.parametrize("stopped_at", [1, 3, 5])  # 16 items in batches of 4: in the first epoch and in the second
@pytest.mark.parametrize(
    "changes", [{"precision": "float32"}, {"precision": "bfloat16"}, {"optimiser": "muon"}], ids=str
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, stopped_at, changes):
    whole = Trainer(Regression(), config(**changes))
    assert whole.fit(Lines())

    first = Trainer(Regression(), config(**changes))
    assert not first.fit(Lines(), stop=stop_after(first, stopped_at))
    write_state(tmp_path / "state.pt", first.state_dict())
    torch.rand(5)  # whatever else draws random numbers in between
    second = Trainer(Regression(), config(**changes))
    second.load_state_dict(read_state(tmp_path / "state.pt"))
    assert second.step == stopped_at and second.fit(Lines())

    assert torch.equal(weights(second.module), weights(whole.module))
    assert torch.equal(weights(second.result()), weights(whole.result()))


def test_a_worker_process_loads_the_same_batches():
    plain, worker = Trainer(Regression(), config()), Trainer(Regression(), config(workers=1))
    plain.fit(Lines())
    worker.fit(Lines())
    assert torch.equal(weights(plain.module), weights(worker.module))


def test_accumulation_equals_the_larger_batch():
    # The mean of two half-batch gradients is the gradient of the mean; without dropout and noise only rounding differs.
    whole = Trainer(Regression(dropout=0, noise=0), config())
    parts = Trainer(Regression(dropout=0, noise=0), config(accumulation=2))
    whole.fit(Lines())
    parts.fit(Lines())
    torch.testing.assert_close(weights(parts.module), weights(whole.module), rtol=1e-5, atol=1e-6)


def test_the_gradient_is_clipped_to_its_norm():
    trainer = Trainer(Regression(), config(clip_norm=1e-3))
    seen = []
    trainer.optimisers[0].register_step_pre_hook(
        lambda optimiser, *_: seen.append(
            torch.stack([p.grad.norm() for g in optimiser.param_groups for p in g["params"]]).norm()
        )
    )
    trainer.fit(Lines())
    torch.testing.assert_close(torch.stack(seen), torch.full((7,), 1e-3), rtol=1e-3, atol=0)


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_weights():
    task = Regression(noise=float("inf"))
    trainer = Trainer(task, config())
    before = weights(task.module).clone()
    with pytest.raises(BadInput, match="gradient of step 0: expected finite numbers"):
        trainer.fit(Lines())
    assert torch.equal(weights(task.module), before)


def test_a_gradient_of_finite_numbers_whose_norm_is_infinite_ends_the_run_and_leaves_the_weights():
    class Steep(Regression):
        """Gradients of about 1e25, whose squares float32 (below 3.4e38) does not hold."""

        def loss(self, batch, generator):
            loss, numbers = super().loss(batch, generator)
            return 1e25 * loss, numbers

    trainer = Trainer(Steep(), config())
    before = weights(trainer.module).clone()
    with pytest.raises(BadGradient, match="norm inf") as error:
        trainer.fit(Lines())
    assert str(error.value.broken).endswith("every gradient finite and their norm not")
    assert torch.tensor(error.value.broken.loss).isfinite()
    assert torch.equal(weights(trainer.module), before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_linear_layer_computes_in_the_precision_of_the_recipe_in_training_and_in_evaluation(precision):
    trainer, seen = Trainer(Regression(), config(steps=1, ema_decay=0, precision=precision)), []
    trainer.module[0].register_forward_hook(lambda module, _, out: seen.append((module.training, out.dtype)))

    def evaluate(module):
        module(torch.ones(1, 2))
        return {}

    trainer.fit(Lines(), evaluate=evaluate)
    dtype = getattr(torch, precision)
    assert seen == [(True, dtype), (False, dtype)] and trainer.module[0].weight.dtype == torch.float32


def test_a_broken_step_is_kept_with_what_it_takes_to_compute_it_again(tmp_path):
    trainer = Trainer(Regression(noise=float("inf")), config(steps=9, seed=5))
    with pytest.raises(BadGradient) as error:
        trainer.fit(Lines())
    write_broken_step(tmp_path / "broken_step_0.pt", error.value.broken)
    broken = read_broken_step(tmp_path / "broken_step_0.pt")
    assert (broken.step, broken.seed) == (0, 5) and broken.batch.x.shape == (4, 2)
    assert torch.equal(broken.weights["0.weight"], trainer.module[0].weight)
    again = Trainer(Regression(noise=float("inf")), config()).replay(broken)
    assert again.parameters == broken.parameters and not torch.tensor(again.loss).isfinite()
    sound = Trainer(Regression(), config()).replay(broken)  # the same step of a loss that was put right
    assert not sound.parameters and torch.tensor(sound.loss).isfinite()


def test_a_file_that_holds_no_broken_step_is_rejected(tmp_path):
    write_state(tmp_path / "state.pt", {"step": 1})
    with pytest.raises(BadCheckpoint, match="Give a file broken_step"):
        read_broken_step(tmp_path / "state.pt")


def test_the_share_of_the_peak_is_the_counted_arithmetic_over_the_time_it_took():
    # Two linear layers, 2x8 and 8x1: 2 operations a weight and row forward, twice that backward, 144 a window.
    trainer = Trainer(Regression(), config(peak_tflops=1e-6, precision="bfloat16"))
    trainer.train_step(stack([Lines()[item] for item in range(4)]))
    trainer.throughput.add(windows=4, tokens=8, seconds=2.0)
    numbers = trainer.throughput.numbers()
    assert numbers["windows_per_s"] == 2.0 and numbers["tokens_per_s"] == 4.0
    assert numbers["mfu"] == pytest.approx(144 * 2.0 / 1e6)


def test_without_a_known_peak_no_share_of_it_is_reported():
    trainer = Trainer(Regression(), config())
    trainer.throughput.add(windows=4, tokens=8, seconds=2.0)
    assert set(trainer.throughput.numbers()) == {"windows_per_s", "tokens_per_s"}


def test_what_computes_without_gradient_is_counted_once_and_what_trains_thrice():
    a = torch.randn(2, 3, requires_grad=True)
    with TrainingFlops() as flops:
        a @ torch.randn(3, 5)  # 2 * 2*3*5 forward, twice that backward
        with torch.no_grad():
            a @ torch.randn(3, 5)
    assert flops.total == 3 * 60 + 60


def test_decay_falls_on_matrices_only():
    module = Regression().module
    decayed, others = build_optimisers(module, config(weight_decay=0.1))[0].param_groups
    assert [p.ndim for p in decayed["params"]] == [2, 2] and decayed["weight_decay"] == 0.1
    assert {p.ndim for p in others["params"]} == {1} and others["weight_decay"] == 0.0


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_every_parameter_that_is_not_frozen_is_optimised_once(optimiser):
    module = Regression().module
    module[0].requires_grad_(False)
    built = build_optimisers(module, config(optimiser=optimiser))
    optimised = [id(p) for one in built for group in one.param_groups for p in group["params"]]
    assert sorted(optimised) == sorted(id(p) for p in module.parameters() if p.requires_grad)


def test_muon_takes_the_matrices_inside_and_leaves_embeddings_and_heads_to_adamw():
    parts = {"embedding": nn.Embedding(5, 4), "inside": nn.Linear(4, 4), "head": nn.Linear(4, 5)}
    adamw, muon = build_optimisers(nn.ModuleDict(parts), config(optimiser="muon"))
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(parts["inside"].weight)]
    assert len(adamw.param_groups[0]["params"]) == 2


def test_muon_takes_the_kernels_inside_as_matrices_and_leaves_stems_and_heads_to_adamw():
    torch.manual_seed(0)
    parts = {"stem": nn.Conv2d(3, 4, 1), "inside": nn.Conv2d(4, 6, 3), "head": nn.Conv2d(6, 3, 1)}
    adamw, muon = build_optimisers(nn.ModuleDict(parts), config(optimiser="muon"))
    kernel = parts["inside"].weight
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(kernel)]
    assert len(adamw.param_groups[0]["params"]) == 2
    # The same as torch's own on a matrix of the same numbers, three steps with momentum.
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    options = {key: value for key, value in muon.param_groups[0].items() if key != "params"}
    alone = torch.optim.Muon([matrix], **options)
    for _ in range(3):
        kernel.grad = torch.randn_like(kernel)
        matrix.grad = kernel.grad.flatten(1).clone()
        muon.step()
        alone.step()
    assert torch.equal(kernel.flatten(1), matrix) and kernel.shape == (6, 4, 3, 3)
    assert list(muon.state) == [kernel], "state is kept by kernel, so that it is saved and resumed with it"


def test_the_average_starts_short_and_grows_to_its_decay():
    module = nn.Linear(1, 1, bias=False)
    average = build_average(module, decay=0.9)
    values = []
    for value in (1.0, 0.0, 0.0):
        nn.init.constant_(module.weight, value)
        average.update_parameters(module)
        values.append(average.module.weight.item())
    # The first update copies; then decays 2/11 and 3/12, both shorter than 0.9.
    assert values == pytest.approx([1.0, 2 / 11, 2 / 11 * 3 / 12])


@pytest.mark.parametrize(
    ("schedule", "factors"),
    # With 2 steps of warm-up and a budget of 4: 1/2 and then 1, times the decay at 0, 1/4, 1/2, 3/4 of the budget.
    [
        ("constant", [0.5, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_learning_rate_warms_up_and_decays_over_the_budget(schedule, factors):
    assert [learning_rate_factor(schedule, step, 2, step / 4) for step in range(4)] == pytest.approx(factors, abs=1e-6)


def test_a_budget_in_minutes_ends_the_run_and_drives_the_schedule():
    now = iter(range(0, 10_000, 5))  # every look at the clock takes 5 s
    trainer = Trainer(Regression(), config(steps=None, max_minutes=1.0, warmup_steps=0), clock=lambda: float(next(now)))
    rates = []
    trainer.optimisers[0].register_step_pre_hook(lambda optimiser, *_: rates.append(optimiser.param_groups[0]["lr"]))
    assert trainer.fit(Lines())
    assert 0 < trainer.step < 12
    assert rates == sorted(rates, reverse=True) and rates[-1] < 0.5 * rates[0]


def test_a_budget_of_processor_time_does_not_count_waiting():
    trainer = Trainer(Regression(), config(steps=None, max_minutes=1.0, clock="processor"))
    before = trainer.position.elapsed_s
    time.sleep(0.3)
    assert trainer.position.elapsed_s - before < 0.2


def test_a_batch_depends_on_its_number_alone_and_an_epoch_visits_every_item_once():
    order = BatchOrder(length=10, batch_size=4, seed=3)
    forward = [order.batch(number) for number in range(5)]  # two epochs of 10
    assert [order.batch(number) for number in reversed(range(5))] == forward[::-1]
    items = [item for batch in forward for item in batch]
    assert sorted(items[:10]) == sorted(items[10:]) == list(range(10))
    assert items[:10] != items[10:]
    resumed = iter(BatchOrder(length=10, batch_size=4, seed=3, first=2))
    assert next(resumed) == forward[2]


def test_numbers_are_reported_and_the_average_is_what_is_evaluated():
    class Heard:
        def __init__(self) -> None:
            self.numbers: list[tuple[int, set[str]]] = []

        def report(self, position, numbers: Mapping[str, float]) -> None:
            self.numbers.append((position.step, set(numbers)))

    heard, evaluated = Heard(), []
    trainer = Trainer(Regression(), config(report_every=3, evaluate_every=4), reporter=heard)

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert not module.training
        evaluated.append(module is trainer.result() and module is not trainer.module)
        return {"error": 0.0}

    trainer.fit(Lines(), evaluate=evaluate)
    train = {
        f"train/{name}" for name in ("loss", "error", "gradient_norm", "learning_rate", "windows_per_s", "tokens_per_s")
    }
    assert heard.numbers == [(3, train), (4, {"validation/error"}), (6, train), (7, {"validation/error"})]
    assert evaluated == [True, True]


def test_the_state_is_saved_when_the_budget_is_spent_and_when_stopped():
    saved = []
    trainer = Trainer(Regression(), config())
    trainer.fit(Lines(), save=lambda: saved.append(trainer.step), stop=stop_after(trainer, 2))
    trainer.fit(Lines(), save=lambda: saved.append(trainer.step))
    assert saved == [2, 7]


def test_a_state_cut_short_is_rejected(tmp_path):
    path = tmp_path / "state.pt"
    write_state(path, Trainer(Regression(), config()).state_dict())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadCheckpoint, match="cut short"):
        read_state(path)


def test_a_missing_state_is_rejected(tmp_path):
    with pytest.raises(BadCheckpoint, match="no such file"):
        read_state(tmp_path / "state.pt")


def test_a_state_of_another_configuration_is_rejected():
    state = Trainer(Regression(), config(ema_decay=0)).state_dict()
    with pytest.raises(BadCheckpoint, match="Resume with the configuration"):
        Trainer(Regression(), config()).load_state_dict(state)


def test_half_a_state_never_replaces_a_whole_one(tmp_path):
    path = tmp_path / "state.pt"
    write_state(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        write_state(path, {"step": lambda: None})
    assert read_state(path) == {"step": 1}
