"""The settings of one training: a section of a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.precision_name import PRECISION_HELP, Precision


class TrainingConfig(Config):
    """Optimisation of one module. The budget is a number of steps, epochs or minutes, or several of these: the first to
    be used up ends the run."""

    steps: int | None = Field(default=None, gt=0, description="optimiser steps")
    epochs: float | None = Field(default=None, gt=0, description="passes over the training windows")
    max_minutes: float | None = Field(default=None, gt=0, description="by `clock`, over all resumed parts of a run")
    clock: Literal["wall", "processor"] = Field(
        default="wall",
        description="wall time, or processor time of this process with all threads, whatever else the machine runs",
    )
    batch_size: int = Field(default=16, gt=0, description="windows per optimiser step, over all processes")
    accumulation: int = Field(
        default=1, gt=0, description="micro-batches per optimiser step; saves memory, the result stays the same"
    )
    parallel: Literal["ddp", "fsdp"] = Field(
        default="ddp", description="with several processes: replicate the weights (ddp) or shard them (fsdp)"
    )
    activation_checkpointing: bool = Field(
        default=False, description="recompute the blocks in the backward pass: less memory, a third more time"
    )
    compile: bool = Field(default=False, description="compile the blocks with torch.compile")
    optimiser: Literal["adamw", "muon"] = Field(
        default="adamw",
        description="muon: orthogonalised updates for the hidden matrices and kernels, AdamW for the other weights",
    )
    learning_rate: float = Field(default=3e-5, gt=0, description="peak")
    schedule: Literal["linear", "cosine", "constant"] = Field(default="linear", description="decay over the budget")
    warmup_steps: int = Field(default=100, ge=0, description="optimiser steps of linear warm-up")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="of AdamW")
    weight_decay: float = Field(default=0.0, ge=0, description="on the weights that `decayed` names")
    decayed: Literal["tables_too", "matrices"] = Field(
        default="tables_too",
        description="matrices: weights of linear layers and convolutions; tables_too: also embeddings and positions; "
        "biases and norms never",
    )
    clip_norm: float = Field(default=1.0, gt=0, description="largest norm of the whole gradient")
    ema_decay: float = Field(default=0.0, ge=0, lt=1, description="moving average of the weights; 0: none")
    precision: Precision = Field(default="auto", description=f"of the autocast: bfloat16, float32, or {PRECISION_HELP}")
    checkpoint_weights: Literal["bfloat16", "float32"] = Field(
        default="bfloat16", description="of a world model's checkpoint; float32 for `--dtype float32` without rounding"
    )
    seed: int = Field(default=0, description="of initial weights, data order and noise")
    workers: int = Field(default=0, ge=0, description="processes that load windows; 0: load between steps")
    peak_tflops: float | None = Field(
        default=None, gt=0, description="of one device, to report MFU; default: known for common GPUs"
    )
    report_every: int = Field(default=20, gt=0, description="steps between reports")
    evaluate_every: int = Field(default=1000, gt=0, description="steps between evaluations")
    save_every_minutes: float = Field(default=5.0, gt=0, description="by `clock`, between saved states")

    @model_validator(mode="after")
    def _has_a_budget(self) -> "TrainingConfig":
        if self.steps is None and self.epochs is None and self.max_minutes is None:
            raise ValueError("a budget: `steps`, `epochs` or `max_minutes`")
        if self.batch_size % self.accumulation:
            raise ValueError("a `batch_size` that `accumulation` divides")
        return self
