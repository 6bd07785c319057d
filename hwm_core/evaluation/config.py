"""What is judged, and how: the settings that decide the numbers."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.sampling.config import Sampling

RowName = Literal["model", "shuffled", "none", "zero", "reversed", "copy_last", "tokenizer"]
EVERY_ROW: tuple[RowName, ...] = get_args(RowName)


class EvaluationConfig(Config):
    """One evaluation. With the checkpoint and the episodes it decides every number."""

    horizons: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(8, 16, 24), min_length=1, description="frames ahead; beyond the model's own future it is rolled on"
    )
    stride: int = Field(default=5, ge=1, description="frames between the starts of windows, alike for every horizon")
    max_windows: int | None = Field(default=None, ge=2, description="of more windows, so many spread evenly are judged")
    truth: Literal["camera", "tokenizer"] = Field(
        default="camera", description="the camera's frames, or these through the model's own tokenizer"
    )
    rows: tuple[RowName, ...] = Field(
        default=("model", "shuffled", "none", "copy_last", "tokenizer"), description="what is compared"
    )
    sampling: Sampling = Field(default=Sampling(), description="how futures are drawn; by default the mean future")
    samples: int | None = Field(default=None, ge=1, description="adds rows: a single sample, and the mean of so many")
    drawing: Sampling | None = Field(default=None, description="how these are drawn; None: as `sampling` says")
    ssim: bool = Field(default=False, description="SSIM, and MS-SSIM where it fits, beside PSNR")
    tokens: bool = Field(default=False, description="cross-entropy and accuracy of codes, of a masked model")
    sensitivity: int = Field(default=0, ge=0, description="windows in which one joint after the other is disturbed")
    seed: int = Field(default=0, ge=0, description="of the draws, a stream for every window, and of the borrowing")
    batch: int = Field(default=16, ge=1, description="windows at a time; it moves the numbers by rounding alone")

    @model_validator(mode="after")
    def _has_something_to_compare(self) -> "EvaluationConfig":
        if missing := {"model", "copy_last"} - set(self.rows):
            raise ValueError(f"`rows` with {' and '.join(sorted(missing))}")
        if self.truth == "tokenizer" and "tokenizer" in self.rows:
            raise ValueError("`rows` without `tokenizer`, which is the truth itself")
        return self

    @property
    def num_frames(self) -> int:
        """Frames ahead that are judged: all, up to the farthest horizon."""
        return max(self.horizons)


PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    "horizon": {"rows": EVERY_ROW},
    # 21,000 frames, 8 at a time, each predicted once, against the truth through the same tokenizer (arXiv 2506.01182)
    "paper": {
        "horizons": (8,),
        "stride": 8,
        "max_windows": 21_000 // 8,
        "truth": "tokenizer",
        "rows": tuple(row for row in EVERY_ROW if row != "tokenizer"),
    },
}
"""Settings of a protocol, by its name; the others are its user's."""
