"""The learning rate over a run, as a factor of its peak."""

import math


def learning_rate_factor(schedule: str, step: int, warmup_steps: int, budget_used: float) -> float:
    """Linear warm-up over steps, times a decay over the budget.

    Args:
        schedule: "linear" or "cosine" decay to zero at the end of the budget, or "constant".
        step: optimiser steps already done.
        budget_used: fraction of the budget (steps or time), 0 to 1.
    """
    warmup = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    if schedule == "linear":
        return warmup * (1.0 - budget_used)
    if schedule == "cosine":
        return warmup * 0.5 * (1.0 + math.cos(math.pi * budget_used))
    return warmup
