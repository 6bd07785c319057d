"""Training in a run's folder: resuming, saving, and stopping on signals."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset
from tqdm import tqdm

from hwm_core.train.broken_step import BadGradient, read_broken_step, write_broken_step
from hwm_core.train.ranks import Ranks
from hwm_core.train.state import newest_state, read_shards, read_state, save_state
from hwm_core.train.trainer import Trainer

from .run import Run


def train_run(
    run: Run,
    trainer: Trainer,
    windows: Dataset[Any],
    identity: Mapping[str, Any],
    *,
    evaluate: Callable[[Any], Mapping[str, float]],
    export: Callable[[Any], None],
) -> bool:
    """Train until the budget is spent or a signal stops the run; the state and the result are saved together.

    Args:
        identity: of the data; written to the run's folder.
        evaluate: metrics of the trained module.
        export: writes the result of the trained module; called on the first rank.

    Returns:
        Whether the budget is spent.
    """
    ranks = trainer.ranks
    if run.replay:
        tqdm.write(str(trainer.replay(read_broken_step(run.replay))))
        return True
    if run.resume:
        load_newest_state(trainer, run.folder)
    ranks.barrier()  # the first rank writes below; the other ranks may still read
    if ranks.is_first:
        run.describe(identity)

    def save() -> None:
        save_state(run.folder, trainer.state_dict(), sharded=trainer.parallel.sharded, ranks=ranks)
        result = trainer.result()
        if ranks.is_first:
            export(result)

    try:
        with _stop_signals(ranks) as stop:
            finished = trainer.fit(windows, evaluate=evaluate, save=save, stop=stop)
    except BadGradient as error:
        if error.broken is not None:
            write_broken_step(run.folder / f"broken_step_{error.broken.step}.pt", error.broken)
        raise
    if not ranks.is_first:
        return finished
    if finished:
        minutes = trainer.progress.elapsed_s / 60
        tqdm.write(f"Done: {trainer.step} steps in {minutes:.1f} min. Result in {run.folder}")
    else:
        tqdm.write(f"Stopped after step {trainer.step}. To continue, add --resume to the command.")
    return finished


def load_newest_state(trainer: Trainer, folder: Path) -> None:
    """Load the newest state, written by any number of processes. Raises BadCheckpoint."""
    newest = newest_state(folder) or folder / "state.pt"
    if newest.is_dir():
        trainer.load_state_dict(read_shards(newest, trainer.state_dict()), sharded=True)
    else:
        trainer.load_state_dict(read_state(newest))


@contextmanager
def _stop_signals(ranks: Ranks) -> Iterator[Callable[[], bool]]:
    """Catch SIGTERM and Ctrl-C; yields whether one has arrived. A second Ctrl-C interrupts at once.

    With several ranks a second Ctrl-C does not interrupt: each rank receives the first Ctrl-C again, from torchrun.
    """
    received: list[int] = []

    def receive(number: int, _frame: object) -> None:
        received.append(number)
        if ranks.size == 1:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
