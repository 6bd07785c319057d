"""Fits the probe of the cost `readout`: latents of simulated episodes, and where palms and objects were."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.planning.costs.readout_probe import ReadoutProbe, write_probe
from hwm_core.rng.candidates import derived_seed
from hwm_core.sim.description import CONTROL_HZ, SIDES
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motions import MOTIONS, Motion
from hwm_core.sim.seeds import FIRST_SEED, SEEDS_OF_MOTION
from hwm_core.sim.variation import OBJECTS
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel

TARGETS = (*(f"{side}_palm" for side in SIDES), *OBJECTS)
"""What the probe locates."""

_SECONDS = 2.0  # of an episode: scenes vary more from one to the next than within one
_VALIDATION = 8  # one of so many episodes
_BATCH, _LEARNING_RATE = 64, 2e-3
_UNIT_M = 0.1  # of the loss

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Located:
    """Latents, and what they show."""

    latents: Tensor  # [N, h, w, C]
    positions: Tensor  # [N, P, 3] metres


def fit_readout(
    world_model: WorldModel, out: Path, episodes: int, steps: int, seed: int, progress: Progress = lambda what: None
) -> dict[str, float]:
    """Simulate episodes, train the probe on most of them, and write it.

    Args:
        world_model: its tokenizer makes the latents.
        out: file to write.
        episodes: of 2 s each, in equal parts of random motions and of skills; training seeds.
        steps: of AdamW, with 64 latents each.
        seed: of weights and batches.
        progress: called with each finished episode and step.

    Returns:
        {target: median error in metres} in the episodes that were kept for validation.

    Raises:
        RobotMismatch: a model of another robot.
        MissingGL: the machine cannot render offscreen.
    """
    parts = []
    for number in range(episodes):
        parts.append(locate(world_model, number))
        progress("episode")
    training, validation = (
        _joined([part for number, part in enumerate(parts) if (number % _VALIDATION == 0) == held_out])
        for held_out in (False, True)
    )
    torch.manual_seed(seed)
    probe = ReadoutProbe(training.latents.shape[-1], TARGETS, WorldModelDynamics(world_model).encoder)
    _start_at(probe, training.positions)
    _train(probe, training, steps, seed, progress)
    write_probe(out, probe)
    with torch.inference_mode():
        errors = (probe(validation.latents) - validation.positions).norm(dim=-1).median(dim=0).values
    return dict(zip(TARGETS, errors.tolist(), strict=True))


@torch.inference_mode()
def locate(world_model: WorldModel, number: int) -> Located:
    """An episode of the simulated humanoid: its latents, as of a video and as of still images."""
    motion: Motion = "skills" if number % 2 else "random"
    seed = FIRST_SEED["train"] + SEEDS_OF_MOTION[motion] + number // 2
    ticks, factor = round(CONTROL_HZ / world_model.frame_rate_hz), world_model.model.config.temporal_factor
    frames, positions = [], []
    with SimHumanoid(seed) as robot:
        SimObserver(robot, world_model)  # rejects models of other robots and rates
        commands = MOTIONS[motion](robot, seed)
        for tick in range(round(_SECONDS * CONTROL_HZ)):
            if tick % ticks == 0:
                frames.append(world_model.preprocessing.apply(robot.render()))
                positions.append([*(robot.palm(side) for side in SIDES), *robot.object_positions()])
            robot.command(commands.next_command())
            robot.advance()
    whole = 1 + (len(frames) - 1) // factor * factor
    clip = world_model.to_video(np.stack(frames[:whole])[None])
    ends = range(factor, whole, factor)
    with world_model.autocast():
        moving = world_model.tokenizer.embed(world_model.tokenizer.encode(clip))[0, 1:].float()
        stills = clip[0, list(ends)][:, None].expand(-1, 1 + factor, -1, -1, -1)
        still = world_model.tokenizer.embed(world_model.tokenizer.encode(stills))[:, -1].float()
    shown = torch.tensor(np.array(positions)[list(ends)], dtype=torch.float32, device=still.device)
    return Located(torch.cat([moving, still]).cpu(), shown.repeat(2, 1, 1).cpu())


def _joined(parts: list[Located]) -> Located:
    return Located(torch.cat([part.latents for part in parts]), torch.cat([part.positions for part in parts]))


@torch.no_grad()
def _start_at(probe: ReadoutProbe, positions: Tensor) -> None:
    """Let a new probe read the mean positions, and differences of the size of a unit of the loss."""
    last = probe.read[-1]
    assert isinstance(last, torch.nn.Linear) and last.bias is not None
    last.weight.mul_(_UNIT_M)
    last.bias.copy_(positions.mean(dim=0).flatten())


def _train(probe: ReadoutProbe, data: Located, steps: int, seed: int, progress: Progress) -> None:
    """AdamW with a cosine schedule; the loss counts large errors less than their square."""
    generator = torch.Generator().manual_seed(derived_seed(seed, 1))
    optimiser = torch.optim.AdamW(probe.parameters(), lr=_LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(data.latents), (_BATCH,), generator=generator)
        error = (probe(data.latents[chosen]) - data.positions[chosen]) / _UNIT_M
        loss = torch.nn.functional.smooth_l1_loss(error, torch.zeros_like(error))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        progress("step")
