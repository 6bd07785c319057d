"""What the training commands share: a run's folder, its progress on screen and in TensorBoard, and stopping well.

A run's folder: recipe.yaml, data.yaml, revision.txt, environment.json, state.pt or state-<step>/ (to resume), events.*
(TensorBoard), samples/ (pictures of each evaluation), and what the run makes.
"""

import argparse
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import yaml
from torch.utils.data import Dataset
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from hwm_core.config import read_yaml
from hwm_core.errors import BadConfig, BadInput
from hwm_core.io.atomic import new_file, write_text
from hwm_core.train.broken_step import BadGradient, read_broken_step, write_broken_step
from hwm_core.train.ranks import Ranks, joined_ranks
from hwm_core.train.recipe import Recipe, preset_names, read_recipe, write_recipe
from hwm_core.train.reporter import Position, Reporter, Silent
from hwm_core.train.state import newest_state, read_shards, read_state, save_run
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import require_same
from hwm_core.visualization.canvas import write_png
from hwm_core.visualization.samples import Sample, sample_sheet
from training.command_line import path_errors
from training.environment import note_environment


def command(
    description: str | None,
    work: Callable[[argparse.Namespace], bool],
    arguments: Sequence[str] | None,
    *,
    optional: Sequence[str] = (),
    **folders: str,
) -> int:
    """The command line that all training commands share.

    Args:
        work: trains; says whether the run has spent its budget. Raises BadInput for whatever the user can put right.
        optional: those of `folders` that may be left out.
        folders: further arguments, each a folder to read, and their help.

    Returns:
        Exit status 0: the budget is spent; 1: stopped before, to be resumed; 2: bad input.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny", help=f"{', '.join(preset_names())}, or a .yaml file (%(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="an episode store, or tokens")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, by its own recipe")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="compute a saved broken_step_*.pt of --out again")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="changes to the preset")
    for name, meaning in folders.items():
        parser.add_argument(f"--{name}", type=Path, required=name not in optional, help=meaning)
    options = parser.parse_args(arguments)
    try:
        with path_errors(), joined_ranks(options.device) as options.ranks:
            options.device = options.ranks.device
            return 0 if work(options) else 1
    except BadInput as error:
        parser.error(str(error))


def open_run(arguments: argparse.Namespace) -> Recipe:
    """The recipe of a new run, or that of the run in --out. Nothing is written before `run` knows that all fits.

    Raises BadConfig for a run that would overwrite another.
    """
    out = arguments.out
    if blocked := next((one for one in (out, *out.parents) if one.exists() and not one.is_dir()), None):
        raise BadConfig(f"--out {out}", expected="a folder", got=f"{blocked}, a file", remedy="Choose another path.")
    if arguments.resume or arguments.replay:
        recipe = read_recipe(str(out / "recipe.yaml"), arguments.overrides)
    elif newest_state(out):
        raise BadConfig(
            f"--out {out}", expected="a new folder", got="a run", remedy="Add --resume, or choose another folder."
        )
    else:
        recipe = read_recipe(arguments.preset, arguments.overrides)
    arguments.recipe = recipe
    return recipe


def same_data(arguments: argparse.Namespace, identity: Mapping[str, Any]) -> None:
    """Raises BadConfig for a resumed run with other data than its folder says it was begun with."""
    if arguments.resume and (path := arguments.out / "data.yaml").exists():
        require_same(read_yaml(path), identity, f"Data of the run in {arguments.out}")
    arguments.identity = identity


def run(
    trainer: Trainer,
    dataset: Dataset,
    arguments: argparse.Namespace,
    *,
    evaluate: Callable[[Any], Mapping[str, float]],
    export: Callable[[Any], None],
) -> bool:
    """Train until the budget is spent or a signal asks to stop; save the state and the result together.

    Args:
        export: writes what the run makes from its result, a module; called on the first rank.

    Returns:
        Whether the budget is spent.
    """
    out, ranks = arguments.out, trainer.ranks
    if arguments.replay:
        tqdm.write(str(trainer.replay(read_broken_step(arguments.replay))))
        return True
    if arguments.resume:
        resume(trainer, out)
    ranks.wait()  # before the first writes what others still read
    if ranks.first:
        _describe(arguments)

    def save() -> None:
        save_run(out, trainer.state_dict(), sharded=trainer.parallel.sharded, ranks=ranks)
        result = trainer.result()
        if ranks.first:
            export(result)

    try:
        with _stop_signals(ranks) as stop:
            finished = trainer.fit(dataset, evaluate=evaluate, save=save, stop=stop)
    except BadGradient as error:
        if error.broken is not None:
            write_broken_step(out / f"broken_step_{error.broken.step}.pt", error.broken)
        raise
    if not ranks.first:
        return finished
    if finished:
        tqdm.write(
            f"Done: {trainer.step} steps in {trainer.position.elapsed_s / 60:.1f} min. Result in {arguments.out}"
        )
    else:
        tqdm.write(f"Stopped after step {trainer.step}. To go on: the same command with --resume")
    return finished


def _describe(arguments: argparse.Namespace) -> None:
    """Write what the run is into its folder: recipe, data, code and machine."""
    out, made_by = arguments.out, revision()
    if not arguments.resume:
        write_text(out / "revision.txt", made_by + "\n")
    write_recipe(out / "recipe.yaml", arguments.recipe)
    write_text(out / "data.yaml", yaml.safe_dump(dict(arguments.identity), sort_keys=False))
    note_environment(out, made_by, arguments.resume)


def resume(trainer: Trainer, folder: Path) -> None:
    """Go on from the newest state in `folder`, whatever number of processes wrote it. Raises BadCheckpoint."""
    newest = newest_state(folder) or folder / "state.pt"
    if newest.is_dir():
        trainer.load_state_dict(read_shards(newest, trainer.state_dict()), sharded=True)
    else:
        trainer.load_state_dict(read_state(newest))


def watch(arguments: argparse.Namespace) -> AbstractContextManager[Reporter]:
    """Who shows and stores the numbers and pictures of a run: nobody but on the first rank."""
    return Screen(arguments.out) if arguments.ranks.first else nullcontext(Silent())


class Screen:
    """A reporter that writes TensorBoard events, moves a progress bar along the budget, and prints evaluations."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: SummaryWriter | None = None
        self._bar = tqdm(total=100.0, bar_format="{percentage:5.1f}% |{bar:20}| {elapsed} {desc}")

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._events is not None:
            self._events.close()

    def report(self, position: Position, numbers: Mapping[str, float]) -> None:
        events = self._events_from(position.step)
        for name, value in numbers.items():
            events.add_scalar(name, value, position.step)
        if "train/loss" in numbers:
            self._bar.n = 100.0 * position.spent
            self._bar.set_description_str(f"step {position.step} loss {numbers['train/loss']:.4g}")
        else:
            events.flush()
            shown = " ".join(f"{name.partition('/')[2]} {value:.4g}" for name, value in numbers.items())
            tqdm.write(f"step {position.step}, {position.elapsed_s / 60:.1f} min: {shown}")

    def show(self, step: int, made: str, samples: Sequence[Sample]) -> None:
        """Draw held-out windows as samples/step_<step>.png and into TensorBoard; `made` names what is not truth."""
        sheet = sample_sheet(f"{self._folder.name}, step {step}", made, samples)
        with new_file(self._folder / "samples" / f"step_{step:06d}.png") as partial:
            write_png(partial, sheet)
        self._events_from(step).add_image("samples", sheet, step, dataformats="HWC")

    def _events_from(self, step: int) -> SummaryWriter:
        """Where events go; what a part of the run that was killed wrote of this step and later ones counts no more."""
        if self._events is None:
            self._events = SummaryWriter(str(self._folder), purge_step=step)
        return self._events


def revision() -> str:
    """The git revision of this code, `-dirty` when it was changed; `unknown` outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@contextmanager
def _stop_signals(ranks: Ranks) -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and Ctrl-C into a question asked between steps; a second Ctrl-C interrupts at once.

    Of several ranks the saving one is never interrupted: torchrun passes on the Ctrl-C that each has had already.
    """
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        if ranks.size == 1:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
