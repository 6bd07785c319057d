"""Time scoring and planning on held-out starts of tasks, write the numbers and print the table."""

import argparse
from dataclasses import asdict
from typing import Any

import torch
from tqdm import tqdm

from hwm_core.assets import checkpoint_path
from hwm_core.device import arithmetic
from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.seed_list import read_seed_list
from hwm_core.evaluation.speed.measure import SpeedRow, measure
from hwm_core.evaluation.speed.plan import PlanSpeed, time_plans
from hwm_core.evaluation.speed.scene import Scene, make_scene
from hwm_core.evaluation.speed.settings import SETTINGS, make_score
from hwm_core.evaluation.speed.table import speed_table
from hwm_core.io.atomic import write_json
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.table import TASKS
from hwm_core.world_model.model import WorldModel

from .devices import own_device
from .environment import describe_environment

_FEWEST = 5  # candidates that have an order: the goal-reaching one, holding, and one of each random kind


def run_speed(options: argparse.Namespace) -> int:
    """Measure, write and print. Raises BadInput for errors of the user."""
    if max(options.candidates) < _FEWEST:
        raise BadConfig(
            "--candidates", expected=f"one of at least {_FEWEST}", got=list(options.candidates), remedy="Add 64."
        )
    if options.threads:
        torch.set_num_threads(options.threads)
    path, device = checkpoint_path(options.checkpoint), own_device(options.device)
    config = PlanningConfig() if options.config is None else PlanningConfig.read(options.config)
    world = WorldModel.load(path, device=device)
    scenes, counts = _scenes(options, world, config), sorted(set(options.candidates))
    settings = {name: one for name, one in SETTINGS.items() if options.compile or not one.compile}
    scores = {
        name: make_score(one, path, device, config.objective, config.scoring, config.max_velocity, world.sha256)
        for name, one in settings.items()
    }
    with tqdm(total=len(scores) * (len(scenes) + len(counts) * (1 + options.repeats)), unit="call") as bar:

        def progress(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        rows = measure(scores, scenes, counts, options.repeats, progress)
    plans = time_plans(world, scenes, config, options.repeats)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, _document(world, scenes, rows, plans))
    print(speed_table(rows, counts, plans))
    return 0


def _scenes(options: argparse.Namespace, world: WorldModel, config: PlanningConfig) -> list[Scene]:
    """The starts of the first development seeds of each task."""
    seeds, scenes = read_seed_list(options.seeds), []
    space = JointSpace.from_manifest(world.manifest, world.frame_rate_hz, config.max_velocity)
    for task in options.tasks:
        for seed in seeds.first("development", task, options.scenes):
            with SimHumanoid(seed) as robot:
                scenes.append(
                    make_scene(robot, world, TASKS[task], seed, space, world.future_frames, max(options.candidates))
                )
    return scenes


def _document(world: WorldModel, scenes: list[Scene], rows: dict[str, SpeedRow], plans: PlanSpeed) -> dict[str, Any]:
    environment = {name: value for name, value in describe_environment().items() if name != "packages"}
    return {
        **environment,
        "checkpoint": {"name": world.name, "sha256": world.sha256, "parameters": world.num_parameters},
        "arithmetic": arithmetic(world.device, world.dtype),
        "scenes": [{"task": scene.task, "seed": scene.seed} for scene in scenes],
        "settings": {
            name: {"summary": SETTINGS[name].summary, **asdict(row), "accepted": row.accepted}
            for name, row in rows.items()
        },
        "plan": {**asdict(plans), "p50_ms": plans.p50_ms},
    }
