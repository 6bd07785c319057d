"""Time how fast a world model scores candidates and plans: naive, in one batch, and with everything that is faster.

    hwm bench speed --checkpoint flow_tiny --out speed.json
    hwm bench speed --checkpoint runs/model/checkpoint --compile --threads 2 --out benchmarks/results/speed.json

All settings are timed in turn, in one run. Each fast setting is accepted if it ranks the candidates of held-out tasks
as the slow one does: Spearman 0.95 or more, top-1 regret 5 % or less.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT

from .arguments import SEEDS, TASKS, Parser, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--checkpoint", default=DEFAULT, help=f"{CHECKPOINT_HELP} (%(default)s)")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=("reach", "push"), help="tasks (reach push)")
    parser.add_argument("--scenes", type=positive, default=4, help="starts of each task (%(default)s)")
    parser.add_argument(
        "--candidates", type=positive, nargs="+", default=(1, 16, 64, 192), help="numbers of candidates (1 16 64 192)"
    )
    parser.add_argument("--repeats", type=positive, default=5, help="timed calls of each (%(default)s)")
    parser.add_argument("--compile", action="store_true", help="also time compiled predictions; takes minutes")
    parser.add_argument("--threads", type=positive, help="threads of PyTorch (default: as PyTorch chooses)")
    parser.add_argument("--config", type=Path, help="YAML file with the settings of planning")
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="file with the accepted seeds (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_speed import run_speed

    return run_speed(options)
