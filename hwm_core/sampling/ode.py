"""Solvers of ordinary differential equations from t = 0 (noise) to t = 1 (data)."""

from collections.abc import Callable, Mapping

from torch import Tensor

from hwm_core.errors import BadConfig

Velocity = Callable[[Tensor, float], Tensor]
"""dx/dt at point x and time t."""


def euler(velocity: Velocity, x: Tensor, t: float, dt: float) -> Tensor:
    """One step of order 1, with one evaluation."""
    return x + dt * velocity(x, t)


def midpoint(velocity: Velocity, x: Tensor, t: float, dt: float) -> Tensor:
    """One step of order 2, with two evaluations: uses the slope half a step ahead."""
    return x + dt * velocity(x + 0.5 * dt * velocity(x, t), t + 0.5 * dt)


def heun(velocity: Velocity, x: Tensor, t: float, dt: float) -> Tensor:
    """One step of order 2, with two evaluations: uses the mean of the slopes at both ends of the step."""
    here = velocity(x, t)
    return x + 0.5 * dt * (here + velocity(x + dt * here, t + dt))


STEPS: Mapping[str, Callable[[Velocity, Tensor, float, float], Tensor]] = {
    "euler": euler,
    "midpoint": midpoint,
    "heun": heun,
}


def integrate(velocity: Velocity, x: Tensor, *, steps: int, solver: str = "euler") -> Tensor:
    """Integrate `velocity` from x at t = 0 to t = 1 in equal steps. Raises BadConfig for an unknown solver."""
    if solver not in STEPS:
        raise BadConfig(
            "sampling: key `solver`", expected=" or ".join(STEPS), got=f"`{solver}`", remedy="Set one of these."
        )
    for i in range(steps):
        x = STEPS[solver](velocity, x, i / steps, 1.0 / steps)
    return x
