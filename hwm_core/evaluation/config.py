"""Settings of an evaluation. Together with the checkpoint and the episodes, they determine every number."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.evaluation.condition_names import CONDITION_NAMES, ConditionName
from hwm_core.sampling.config import PAPER, Sampling


class EvaluationConfig(Config):
    """Settings of an evaluation."""

    horizons: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(8, 16, 24),
        min_length=1,
        description="frames ahead; beyond its own future, the model is rolled out",
    )
    stride: int = Field(default=5, ge=1, description="frames between the starts of windows, for every horizon")
    max_windows: int | None = Field(default=None, ge=2, description="maximum number of windows, spread evenly")
    truth: Literal["camera", "tokenizer"] = Field(
        default="camera", description="the camera's frames, or their reconstruction by the model's tokenizer"
    )
    conditions: tuple[ConditionName, ...] = Field(
        default=("model", "shuffled", "none", "copy_last", "tokenizer"), description="conditions to compare"
    )
    sampling: Sampling = Field(default=Sampling(), description="sampling of predictions; default: the mean prediction")
    samples: int | None = Field(
        default=None, ge=1, description="adds two conditions: a single sample, and the mean of this number of samples"
    )
    stochastic_sampling: Sampling | None = Field(
        default=None, description="sampling of these two conditions; None: as `sampling`"
    )
    ssim: bool = Field(default=False, description="SSIM in addition to PSNR, and MS-SSIM if frames are large enough")
    tokens: bool = Field(default=False, description="cross-entropy and accuracy of codes, if the model predicts codes")
    sensitivity: int = Field(default=0, ge=0, description="number of windows in which each joint is perturbed in turn")
    seed: int = Field(
        default=0, ge=0, description="seed of sampling (separate numbers for each window) and of the donors"
    )
    batch: int = Field(default=16, ge=1, description="windows per batch; it changes the numbers only by rounding")

    @model_validator(mode="after")
    def _has_something_to_compare(self) -> "EvaluationConfig":
        if missing := {"model", "copy_last"} - set(self.conditions):
            raise ValueError(f"`conditions` with {' and '.join(sorted(missing))}")
        if self.truth == "tokenizer" and "tokenizer" in self.conditions:
            raise ValueError("`conditions` without `tokenizer`, because the tokenizer's frames are the truth")
        return self

    @property
    def num_frames(self) -> int:
        """Frames ahead that are evaluated: all, up to the farthest horizon."""
        return max(self.horizons)

    @property
    def sampling_of_samples(self) -> Sampling:
        """The sampling of the conditions `single` and `mean_of_N`."""
        return self.stochastic_sampling or self.sampling


PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    "horizon": {"conditions": tuple(name for name in CONDITION_NAMES if name != "mean_prediction")},
    # 21,000 frames, 8 per window, each predicted once. The truth is reconstructed by the tokenizer (arXiv 2506.01182).
    # The sampling is `PAPER`'s of the model's family, see `protocol_sampling`.
    "paper": {
        "horizons": (8,),
        "stride": 8,
        "max_windows": 21_000 // 8,
        "truth": "tokenizer",
        "conditions": tuple(name for name in CONDITION_NAMES if name != "tokenizer"),
    },
}
"""{protocol: the settings that it fixes}."""


def protocol_sampling(protocol: str, family: str) -> Sampling:
    """How a model of a family decodes in a protocol: `paper` as in the paper, else the mean prediction."""
    return PAPER[family] if protocol == "paper" else Sampling()
