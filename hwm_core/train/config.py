"""How long, how fast and how to train: one section of a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from hwm_core.config import Config


class TrainingConfig(Config):
    """Optimisation of one module. A budget is a number of steps, of minutes, or both: whichever is spent first."""

    steps: int | None = Field(default=None, gt=0, description="optimiser steps")
    max_minutes: float | None = Field(default=None, gt=0, description="by `clock`, over all resumed parts of a run")
    clock: Literal["wall", "processor"] = Field(
        default="wall",
        description="processor: time that this process computed, all threads together; whatever else the machine does",
    )
    batch_size: int = Field(default=16, gt=0, description="windows of one optimiser step, of all processes together")
    accumulation: int = Field(
        default=1, gt=0, description="parts that a batch is computed in; changes memory, not the result"
    )
    parallel: Literal["ddp", "fsdp"] = Field(
        default="ddp", description="of several processes: all weights on each, or a shard of each weight on each"
    )
    recompute: bool = Field(
        default=False, description="compute blocks again in the backward pass; less memory, a third more time"
    )
    compile: bool = Field(default=False, description="translate the blocks with torch.compile")
    optimiser: Literal["adamw", "muon"] = Field(
        default="adamw",
        description="muon: orthogonal updates for the matrices and kernels inside the network, AdamW for the rest",
    )
    learning_rate: float = Field(default=3e-5, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(default=100, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.0, ge=0, description="on matrices only")
    clip_norm: float = Field(default=1.0, gt=0, description="largest norm of the whole gradient")
    ema_decay: float = Field(default=0.0, ge=0, lt=1, description="0: no moving average of the weights")
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    seed: int = 0
    workers: int = Field(default=0, ge=0, description="processes that load windows; 0 loads between steps")
    peak_tflops: float | None = Field(
        default=None, gt=0, description="of one device, for the share of it that is used; default: known GPUs'"
    )
    report_every: int = Field(default=20, gt=0, description="steps")
    evaluate_every: int = Field(default=1000, gt=0, description="steps")
    save_every_minutes: float = Field(default=5.0, gt=0, description="by `clock`, between states written for resuming")

    @model_validator(mode="after")
    def _has_a_budget(self) -> "TrainingConfig":
        if self.steps is None and self.max_minutes is None:
            raise ValueError("a budget: `steps` or `max_minutes`")
        if self.batch_size % self.accumulation:
            raise ValueError("a `batch_size` that `accumulation` divides")
        return self
