"""The progress of a run: a bar on screen, TensorBoard events, and images of each evaluation."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from hwm_core.io.atomic import new_file
from hwm_core.train.reporter import NullReporter, Progress, Reporter
from hwm_core.visualization.canvas import write_png
from hwm_core.visualization.preview_sheet import Preview, preview_sheet

from .run import Run


def reporter_of(run: Run) -> AbstractContextManager[Reporter]:
    """A `Screen` on the first rank; the other ranks report nothing."""
    return Screen(run.folder) if run.ranks.is_first else nullcontext(NullReporter())


class Screen:
    """Writes TensorBoard events, moves a progress bar along the budget, and prints evaluations."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: SummaryWriter | None = None
        self._bar = tqdm(total=100.0, bar_format="{percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {desc}")

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._events is not None:
            self._events.close()

    def report(self, progress: Progress, metrics: Mapping[str, float]) -> None:
        events = self._events_from(progress.step)
        for name, value in metrics.items():
            events.add_scalar(name, value, progress.step)
        if "train/loss" in metrics:
            self._bar.n = 100.0 * progress.budget_used
            if self._bar.initial == 0:  # the remaining time is estimated from this part of the run alone
                self._bar.initial = self._bar.n
            self._bar.set_description_str(f"step {progress.step} loss {metrics['train/loss']:.4g}")
        else:
            events.flush()
            values = " ".join(f"{name.partition('/')[2]} {value:.4g}" for name, value in metrics.items())
            tqdm.write(f"step {progress.step}, {progress.elapsed_s / 60:.1f} min: {values}")

    def show_previews(self, step: int, label: str, previews: Sequence[Preview]) -> None:
        """Draw held-out windows as previews/step_<step>.png and into TensorBoard."""
        sheet = preview_sheet(f"{self._folder.name}, step {step}", label, previews)
        with new_file(self._folder / "previews" / f"step_{step:06d}.png") as partial:
            write_png(partial, sheet)
        self._events_from(step).add_image("previews", sheet, step, dataformats="HWC")

    def _events_from(self, step: int) -> SummaryWriter:
        """The event file. Events that a killed part of the run wrote for this step and later steps are purged."""
        if self._events is None:
            self._events = SummaryWriter(str(self._folder), purge_step=step)
        return self._events
