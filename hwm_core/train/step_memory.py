"""The memory of a training step of a recipe, by accounting: nothing is computed, and no GPU is needed."""

from dataclasses import dataclass

import torch
from torch import nn

from hwm_core.accounting.gpu_kernels import FakeGenerator, backward, fake_gpu
from hwm_core.data.batches import TokenBatch
from hwm_core.errors import BadConfig
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.train.blocks import prepare_blocks
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import hidden_weights
from hwm_core.train.recipe import Recipe
from hwm_core.train.tasks import WorldModelTask
from hwm_core.world_model.registry import build_model, family


@dataclass(frozen=True)
class StepMemory:
    """Bytes on one GPU."""

    weights: int
    gradients: int
    moments: int  # of the optimiser
    average: int  # moving average of the weights
    activations: int  # at the peak, beside all of the above

    @property
    def total(self) -> int:
        """The peak of a step."""
        return self.weights + self.gradients + self.moments + self.average + self.activations


def precision_on_gpu(train: TrainingConfig) -> torch.dtype:
    """The type that is accounted for: `auto` is bfloat16, as on a GPU with instructions for it."""
    return torch.float32 if train.precision == "float32" else torch.bfloat16


def step_memory(recipe: Recipe, batch: int | None = None, gpus: int = 1) -> StepMemory:
    """Account for a step on encoded windows, replicated on `gpus` GPUs.

    Not counted: the CUDA context, what the allocator keeps in reserve, and a tokenizer that encodes frames.

    Args:
        batch: windows of a step over all GPUs; default: the recipe's.

    Raises:
        BadConfig: the batch is not divisible by GPUs and micro-batches; sharded or compiled training.
    """
    train = recipe.train
    batch = batch or train.batch_size
    if family(recipe.family).pretrained:
        raise BadConfig(
            "memory",
            expected="a family that is trained from scratch",
            got=f"`{recipe.family}`, which adapts pretrained weights",
            remedy="docs/models.md has the arithmetic.",
        )
    if train.parallel != "ddp" and gpus > 1:
        raise BadConfig("memory", expected="`parallel: ddp`", got="fsdp", remedy="Account for one replica.")
    if batch % (gpus * train.accumulation):
        raise BadConfig(
            "batch",
            expected=f"a multiple of {gpus * train.accumulation}, GPUs times micro-batches (`train.accumulation`)",
            got=batch,
            remedy="Choose another batch, or set train.accumulation.",
        )
    with fake_gpu(precision_on_gpu(train)) as memory:
        model = build_model(recipe.family, recipe.model).train()
        weights = memory.now
        prepare_blocks(model, train.model_copy(update={"compile": False}))
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        gradients = sum(4 * parameter.numel() for parameter in trained)
        persistent = gpus > 1 or train.accumulation > 1
        if persistent:  # buckets of DDP, or the sums of earlier micro-batches
            for parameter in trained:
                parameter.grad = torch.empty_like(parameter)
        memory.peak = memory.now
        task = WorldModelTask(model, None, recipe.data.augmentation)
        loss, _ = task.loss(_windows(model, batch // (gpus * train.accumulation)), FakeGenerator())
        backward(loss)
        return StepMemory(
            weights=weights,
            gradients=gradients,
            moments=2 * gradients - _without_second_moment(model, train.optimiser),
            average=weights if train.ema_decay else 0,
            activations=memory.peak - weights - gradients,
        )


def _without_second_moment(model: nn.Module, optimiser: str) -> int:
    """Bytes of the weights for which Muon keeps one number, in place of AdamW's two."""
    if optimiser == "adamw":
        return 0
    return sum(4 * weight.numel() for kind in (nn.Linear, nn.Conv2d) for weight in hidden_weights(model, kind))


def _windows(model: WorldModelNetwork, batch: int) -> TokenBatch:
    config = model.config
    shape = (batch, config.num_latents, *config.grid)
    if isinstance(config, FlowConfig):
        codes = torch.empty(*shape, config.latent_channels)
    else:
        codes = torch.empty(shape, dtype=torch.long)
    return TokenBatch(codes, torch.empty(batch, config.past_frames + config.future_frames, config.action_dim))
