"""The command `hwm`: one subcommand for each recipe. A subcommand's module is imported only when it is used."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from hwm_core import __version__
from hwm_core.errors import BadConfig

from .reported_errors import reported

_HERE = __package__ or "training"  # `training` in a checkout, `hwm_training` where it is installed


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        module: has `build_parser() -> ArgumentParser` and `run(options) -> int`; a leading dot means this package.
        summary: one line for `hwm --help`.
    """

    module: str
    summary: str


COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "Data": {
        "inspect": Command(".commands.inspect_data", "measure recordings: rates, joints, delays, suspicious values"),
        "verify": Command(".commands.verify_data", "read recordings completely and report what is wrong"),
        "convert": Command(".commands.convert_data", "convert between rosbag2 and LeRobot"),
        "split": Command(".commands.split_data", "choose recordings for training and for validation"),
        "statistics": Command(".commands.compute_statistics", "action statistics of recordings, without a store"),
        "prepare": Command(".commands.prepare_data", "convert recordings to a store for training"),
        "tokenize": Command(".commands.tokenise_data", "encode a store once, for training on codes"),
        "sim record": Command(".commands.record_sim", "record episodes of the simulated humanoid"),
    },
    "Training": {
        "train-tokenizer": Command(".commands.train_tokenizer", "train a video tokenizer on a store"),
        "train": Command(".commands.train", "train a world model over a frozen tokenizer"),
        "memory": Command(".commands.memory", "account for the GPU memory of training and of scoring"),
        "tune-decoder": Command(".commands.tune_decoder", "fine-tune the decoder on the model's predictions"),
    },
    "Evaluation": {
        "evaluate": Command(".commands.evaluate", "evaluate checkpoints on held-out episodes"),
        "measure-surprise": Command(".commands.measure_surprise", "how far predictions are off, for the node's alarm"),
        "reconstruct": Command(".commands.reconstruct", "evaluate a tokenizer"),
        "replay": Command(".commands.replay", "predict the frames of a recording and compare them"),
        "bench closed-loop": Command(".commands.bench_closed_loop", "look, reach and push with models and baselines"),
        "bench ranking": Command(".commands.bench_ranking", "how costs rank actions, against what the actions do"),
        "bench speed": Command(".commands.bench_speed", "how fast a model scores candidates and plans"),
        "bench seeds": Command(".commands.bench_seeds", "list the seeds that give tasks for the closed loop"),
        "bench fit-baselines": Command(".commands.bench_fit_baselines", "train the closed loop's baselines on a store"),
        "bench fit-readout": Command(".commands.bench_fit_readout", "fit the probe of the planning cost `readout`"),
        "explain": Command(".commands.explain", "draw the cost around a motion that reaches the goal"),
        "paper-tables": Command(".commands.paper_tables", "train and evaluate the paper's eight models, at a scale"),
        "variants": Command(".commands.variants", "the table of the eight models"),
    },
    "1X World Model Challenge": {
        "1x compress": Command(".commands.onex_compress", "write a submission of the compression track"),
        "1x validate": Command(".commands.onex_validate", "check a submission of the compression track"),
        "1x sample": Command(".commands.onex_sample", "run the sampling track"),
    },
    "Robot (needs ROS 2)": {
        "play": Command("hwm_ros.play", "publish the messages of a rosbag2 recording"),
        "node": Command("hwm_ros.start_node", "start world_model, mpc_planner or sim_robot without ros2"),
    },
    "Machine": {
        "doctor": Command(".commands.doctor", "check Python, PyTorch, GPU, ROS 2 and disk of this machine"),
    },
}
ALL: Mapping[str, Command] = {name: one for group in COMMANDS.values() for name, one in group.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status: 0 done, 1 partly done, 2 bad input, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return reported(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print("\n".join(_overview()))
        return 0
    if words[0] == "--version":
        print(f"hwm {__version__}")
        return 0
    name, rest = _chosen(words)
    with _missing_ros(name):
        module = import_module(ALL[name].module, _HERE)
        parser = module.build_parser()
        parser.prog = f"hwm {name}"
        return int(module.run(parser.parse_args(rest)))


def _chosen(words: Sequence[str]) -> tuple[str, list[str]]:
    """The subcommand, of one word or two, and its arguments. Raises BadConfig with the most similar name."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in ALL and len(words) >= length:
            return name, list(words[length:])
    near = get_close_matches(" ".join(words[:2]), ALL, n=1) or get_close_matches(words[0], ALL, n=1)
    family = [name for name in ALL if name.startswith(f"{words[0]} ")]
    hint = f"Did you mean `hwm {near[0]}`?" if near else "`hwm --help` lists all."
    raise BadConfig(
        "hwm",
        expected="a subcommand" if not family else " or ".join(f"`{name}`" for name in family),
        got=f"`{' '.join(words[: 2 if family else 1])}`",
        remedy=hint,
    )


@contextmanager
def _missing_ros(name: str) -> Iterator[None]:
    """Raise BadConfig if a subcommand of hwm_ros does not find ROS 2 or the built messages."""
    try:
        yield
    except ModuleNotFoundError as error:
        if ALL[name].module.startswith(".") or error.name is None:
            raise
        raise BadConfig(
            f"hwm {name}",
            expected="ROS 2 with the built package hwm_ros",
            got=f"no module {error.name}",
            remedy="Source ROS 2 and the workspace's install/setup.bash; in the checkout: `.ci/in_env hwm ...`.",
        ) from None


def _overview() -> Iterator[str]:
    yield "usage: hwm COMMAND [ARGUMENT ...]      hwm COMMAND --help shows its arguments, defaults and examples"
    for title, group in COMMANDS.items():
        yield f"\n{title}"
        yield from (f"  {name:16} {command.summary}" for name, command in group.items())
    yield "\nFrom recordings to a model, in five commands: hwm inspect, prepare, train-tokenizer, train, evaluate."


if __name__ == "__main__":
    sys.exit(main())
