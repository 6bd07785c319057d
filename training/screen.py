"""The progress of a run: a bar on screen, TensorBoard events, and images of each evaluation."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from hwm_core.io.atomic import new_file
from hwm_core.train.reporter import Position, Reporter, Silent
from hwm_core.visualization.canvas import write_png
from hwm_core.visualization.preview_sheet import Preview, preview_sheet
from training.run import Run


def reporter_of(run: Run) -> AbstractContextManager[Reporter]:
    """A `Screen` on the first rank; the other ranks report nothing."""
    return Screen(run.folder) if run.ranks.first else nullcontext(Silent())


class Screen:
    """Writes TensorBoard events, moves a progress bar along the budget, and prints evaluations."""

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

    def show(self, step: int, made: str, samples: Sequence[Preview]) -> None:
        """Draw held-out windows as samples/step_<step>.png and into TensorBoard."""
        sheet = preview_sheet(f"{self._folder.name}, step {step}", made, samples)
        with new_file(self._folder / "samples" / f"step_{step:06d}.png") as partial:
            write_png(partial, sheet)
        self._events_from(step).add_image("samples", sheet, step, dataformats="HWC")

    def _events_from(self, step: int) -> SummaryWriter:
        """The event file. Events that a killed part of the run wrote for this step and later steps are purged."""
        if self._events is None:
            self._events = SummaryWriter(str(self._folder), purge_step=step)
        return self._events
