"""Learning rate over a run, as a factor of its peak."""

import math


def learning_rate_factor(schedule: str, step: int, warmup_steps: int, spent: float) -> float:
    """Linear warm-up over steps times a decay over the budget.

    Args:
        schedule: "linear" or "cosine" to zero at the end of the budget, or "constant".
        step: optimiser steps already done.
        spent: the part of the budget (steps or wall time) already spent, 0 to 1.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    if schedule == "linear":
        return warm * (1.0 - spent)
    if schedule == "cosine":
        return warm * 0.5 * (1.0 + math.cos(math.pi * spent))
    return warm
