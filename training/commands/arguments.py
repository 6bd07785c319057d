"""Arguments that several subcommands share, and their parser class."""

import argparse
import math
import os
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, get_args

from hwm_core.data.robot.embodiment import embodiment_names
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.precision_name import PRECISION_HELP, Precision
from hwm_core.train.presets import preset_names

TASKS = ("look", "reach", "push")  # hwm_core.sim.tasks needs MuJoCo, which --help does not wait for
SEEDS = Path("benchmarks/closed_loop/seeds.json")
_LARGEST_SEED = 2**63 - 1  # of torch.Generator


class Parser(argparse.ArgumentParser):
    """Prints the description and its examples unchanged, and errors in one sentence without the usage."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}.{self._suggestion(message)} `{self.prog} --help` shows the arguments.\n")

    def _suggestion(self, message: str) -> str:
        """The option or choice that is most similar to an unknown option or choice."""
        unknown, _, choices = message.partition("choose from")
        known = choices.strip(" )").replace("'", "").split(", ") if choices else list(self._option_string_actions)
        quoted = unknown.split("'")
        words = (
            [quoted[1]]
            if choices and len(quoted) > 1
            else [w for w in message.replace(":", "").split() if w.startswith("--")]
        )
        unknown_words = [word.partition("=")[0] for word in words if word.partition("=")[0] not in known]
        near = [match for word in unknown_words for match in get_close_matches(word, known, n=1)]
        if not near or "required" in message:
            return ""
        return f" Did you mean `{near[0]}`?"


def positive(text: str) -> int:
    """An argparse type: an integer of 1 or more."""
    return _at_least(1, text)


def not_negative(text: str) -> int:
    """An argparse type: an integer of 0 or more."""
    return _at_least(0, text)


def seed(text: str) -> int:
    """An argparse type: an integer that every random generator here accepts."""
    number = _at_least(0, text)
    if number > _LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"expected a seed of at most {_LARGEST_SEED}, got {text}")
    return number


def positive_number(text: str) -> float:
    """An argparse type: a finite number above 0."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def _at_least(least: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text}")
    return number


def _number(text: str) -> float:
    """The number, or NaN where the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def add_sources(parser: argparse.ArgumentParser) -> None:
    """The arguments of `Sources.of`."""
    add_paths(parser)
    parser.add_argument("--episodes", type=int, nargs="+", help="numbers of the episodes to use (default: all)")
    add_read_options(parser)


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The paths, without the other arguments of `Sources.of`."""
    parser.add_argument(
        "sources", nargs="+", type=Path, help="bags, data sets, videos with tables, token sets, or folders of these"
    )


def add_read_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ReadOptions.of`."""
    topics = Topics()
    parser.add_argument("--camera", help="key of the pictures, for a LeRobot dataset with several cameras")
    for option, what, usual in (("--states", "measured", "observation.state"), ("--actions", "commanded", "action")):
        parser.add_argument(
            option,
            nargs="+",
            default=(),
            metavar="COLUMN",
            help=f"columns of LeRobot datasets with the {what} joints, patterns of these, or groups of "
            f"meta/modality.json ({usual})",
        )
    parser.add_argument(
        "--image-topic", default=topics.image, help="images; its /compressed topic is read if needed (%(default)s)"
    )
    parser.add_argument("--joint-topic", default=topics.joint_states, help="joint states (%(default)s)")
    parser.add_argument("--command-topic", default=topics.commands, help="joint commands (%(default)s)")
    sources = ("header", "receive")
    parser.add_argument("--stamps", choices=sources, default="header", help="timestamp of a message (%(default)s)")
    for channel in ("image", "joint", "command"):
        parser.add_argument(
            f"--{channel}-stamps", choices=sources, help=f"the same, only of the {channel} topic (default: --stamps)"
        )
        parser.add_argument(
            f"--{channel}-offset",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help=f"added to the timestamps of the {channel} topic; negative where they are late (%(default)s)",
        )


def add_robot(parser: argparse.ArgumentParser, required: bool) -> None:
    """--robot or --embodiment."""
    robot = parser.add_mutually_exclusive_group(required=required)
    robot.add_argument("--robot", help="YAML file with the units and limits of the joints, or only the robot's name")
    robot.add_argument("--embodiment", nargs="+", help=f"one or more of {', '.join(embodiment_names())}, or YAML files")


def add_dtype(parser: argparse.ArgumentParser, default: Precision = "auto") -> None:
    """--dtype."""
    parser.add_argument(
        "--dtype",
        choices=get_args(Precision),
        default=default,
        help=f"precision of the arithmetic: bfloat16, float32, or {PRECISION_HELP} (default: %(default)s)",
    )


def add_ranks(parser: argparse.ArgumentParser) -> None:
    """--rank and --world-size: which share of the work this process does. The defaults are from torchrun."""
    for option, variable, alone, meaning in (
        ("--rank", "RANK", "0", "rank of this process"),
        ("--world-size", "WORLD_SIZE", "1", "number of processes"),
    ):
        default = int(os.environ.get(variable, alone))
        parser.add_argument(option, type=int, default=default, help=f"{meaning} (default: from torchrun)")


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all training commands share."""
    parser = Parser(description)
    parser.add_argument("--preset", default="tiny", help=f"{', '.join(preset_names())}, or a .yaml file (%(default)s)")
    parser.add_argument(
        "--data", type=Path, help="an episode store; hwm train also accepts tokens (with --resume: default of the run)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="resume the run in --out with its own recipe")
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="recompute a saved broken step (broken_step_*.pt) instead of training",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="values that override the preset")
    return parser


def add_closed_loop_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """The arguments of the benches that work through tasks and seeds; `what` is done for each seed."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="tasks (default: all)")
    parser.add_argument("--config", type=Path, help="YAML file with the settings of planning")
    parser.add_argument(
        "--split",
        choices=("development", "closed_loop"),
        default="development",
        help="seeds for tuning, or the seeds of the final table (%(default)s)",
    )
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="file with the accepted seeds (%(default)s)")
    parser.add_argument("--episodes", type=positive, help="seeds of each task (default: all listed seeds)")
    parser.add_argument("--workers", type=positive, default=1, help=f"{what} in parallel (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write or to resume")


def add_track_arguments(parser: argparse.ArgumentParser, dtype: Precision, data: str, example: str) -> None:
    """The arguments of both tracks of the 1X challenge."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint folder of a trained model")
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="file or folder to write; repeat the command to resume")
    parser.add_argument("--limit", type=positive, help="maximum number of samples, spread evenly")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    add_dtype(parser, dtype)
    parser.add_argument("set", nargs="*", metavar="key=value", help=f"settings, such as {example}")
