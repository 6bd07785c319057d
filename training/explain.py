"""Draw the cost around a motion that reaches the goal, and print where it is lowest."""

import argparse

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.explain import explain
from hwm_core.io.atomic import new_file
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.table import TASKS
from hwm_core.visualization import write_png
from hwm_core.visualization.landscape_sheet import Curve, landscape_sheet
from hwm_core.world_model.model import WorldModel

from .devices import own_device


def explain_costs(options: argparse.Namespace) -> int:
    """Write the image and print a line for each direction. Raises BadInput for errors of the user."""
    config = PlanningConfig.read(options.config) if options.config else PlanningConfig()
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device))
    kind = TASKS[options.task]
    with SimHumanoid(options.seed) as robot:
        found = explain(robot, world_model, kind, options.seed, config, simulator=options.simulator)
    dynamics = "simulator" if options.simulator else world_model.name
    print(f"cost of the motion to the goal {found.cost:.3f}, of holding {found.cost_of_holding:.3f} ({dynamics})")
    units = dict(zip(world_model.manifest.names, world_model.manifest.units, strict=True))
    curves = [
        Curve(line.name, line.offsets, line.costs, line.minimum, units.get(line.name, "scales"))
        for line in found.slices
    ]
    for curve, line in zip(curves, found.slices, strict=True):
        in_scales = f"{line.minimum_in_scales:+.2f} joint scales"
        print(f"{curve.title:24} lowest at {curve.minimum:+.3f} {curve.unit}, {in_scales}; cost {min(curve.costs):.3f}")
    images = {"start": found.start, "goal": found.goal, f"end, by the {dynamics}": found.predicted}
    title = f"Cost around the motion to the goal: {options.task}, seed {options.seed}"
    with new_file(options.out) as partial:
        write_png(partial, landscape_sheet(title, images, curves))
    print(f"wrote {options.out}")
    return 0
