"""The action space of a robot: joint limits, speed and acceleration limits, and the scale of each joint."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.data.robot.joint_names import require_distinct_names
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadConfig, RobotMismatch

SECONDS_TO_FULL_SPEED = 0.15
"""Where no acceleration limit is known, a joint needs this time from rest to its speed limit."""

_ROUNDING = 1e-6  # joint units


@dataclass(frozen=True)
class JointSpace:
    """Limits and scales of A joints, in joint units (rad, or m for prismatic joints); every tensor is [A]."""

    names: tuple[str, ...]
    lower: Tensor
    upper: Tensor
    max_velocity: Tensor  # units per second
    max_acceleration: Tensor  # units per second squared
    scale: Tensor  # standard deviation in the training data; 0 for a joint that never moved
    frame_rate_hz: float

    @classmethod
    def from_manifest(
        cls,
        manifest: ActionManifest,
        frame_rate_hz: float,
        max_velocity: float | Sequence[float],
        device: torch.device | str = "cpu",
        max_acceleration: float | Sequence[float] | None = None,
    ) -> "JointSpace":
        """Limits and scales of the manifest; further arguments as for `from_limits`."""
        limits = (manifest.names, manifest.lower, manifest.upper, manifest.scale)
        return cls.from_limits(*limits, frame_rate_hz, max_velocity, device, max_acceleration)

    @classmethod
    def from_limits(
        cls,
        names: Sequence[str],
        lower: Sequence[float],
        upper: Sequence[float],
        scale: Sequence[float],
        frame_rate_hz: float,
        max_velocity: float | Sequence[float],
        device: torch.device | str = "cpu",
        max_acceleration: float | Sequence[float] | None = None,
    ) -> "JointSpace":
        """A joint space from sequences over A joints.

        Args:
            names, lower, upper, scale: of each joint.
            frame_rate_hz: rate of the actions.
            max_velocity: speed limit in units per second, one for all joints or one for each.
            device: of the tensors.
            max_acceleration: limit in units per second squared, one for all joints or one for each. None: a joint
                reaches its speed limit in SECONDS_TO_FULL_SPEED.

        Raises:
            BadConfig: a limit that is not positive and finite, or not one for each joint.
        """
        low, high, deviation = (
            torch.as_tensor(values, dtype=torch.float32, device=device) for values in (lower, upper, scale)
        )
        speed = _each("speed limit", max_velocity, low)
        if max_acceleration is None:
            acceleration = speed / SECONDS_TO_FULL_SPEED
        else:
            acceleration = _each("acceleration limit", max_acceleration, low)
        return cls(tuple(names), low, high, speed, acceleration, deviation, frame_rate_hz)

    @property
    def max_step(self) -> Tensor:
        """[A] the largest change from one frame to the next."""
        return self.max_velocity / self.frame_rate_hz

    @property
    def max_step_change(self) -> Tensor:
        """[A] the largest change of the step from one frame to the next."""
        return self.max_acceleration / self.frame_rate_hz**2

    def index(self, names: tuple[str, ...]) -> Tensor:
        """Columns of these joints. Raises RobotMismatch for a joint that the model does not have, or one twice."""
        require_distinct_names(names, "a plan", "Name each joint to plan once.")
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise RobotMismatch(
                "joints to plan",
                expected=f"names among {', '.join(self.names)}",
                got=", ".join(name or "an empty name" for name in unknown),
                remedy="Correct the list of planned joints.",
            )
        return torch.tensor([self.names.index(name) for name in names], device=self.lower.device)

    def normalised(self, difference: Tensor) -> Tensor:
        """Differences of actions [..., A] divided by each joint's scale, so that rad and m can be added."""
        return difference / torch.where(self.scale > 0, self.scale, torch.ones_like(self.scale))

    # ---------------------------------------------------------------- motions within the limits

    def step(self, target: Tensor, target_before: Tensor, position: Tensor, last_step: Tensor) -> Tensor:
        """The position of the next frame that follows a moving target and keeps all limits, now and later.

        A joint slows down in time to stop at its limit, and beside the target. What is impossible gives way in this
        order: the joint limit, the speed limit, the acceleration limit. So a joint that starts outside its limits, or
        too fast, comes back at the acceleration limit.

        Args:
            target: [..., A] where the joints should be at the next frame.
            target_before: [..., A] where they should be now.
            position: [..., A] where they are now.
            last_step: [..., A] the change that led to `position`.

        Returns:
            [..., A]; `target` if that is possible and the joints are where they should be.
        """
        change, fastest, behind = self.max_step_change, self.max_step, target_before - position
        wanted = target - target_before + behind.sign() * self._stoppable(behind.abs())
        wanted = wanted.minimum(self._stoppable(self.upper - position))
        wanted = wanted.maximum(-self._stoppable(position - self.lower))
        wanted = wanted.clamp(-fastest, fastest)
        after = position + wanted.clamp(last_step - change, last_step + change)
        return torch.where((after - target).abs() <= _ROUNDING, target, after)

    def brake(self, last_step: Tensor) -> Tensor:
        """The step [..., A] after `last_step` of a motion that stops as fast as the limits allow."""
        return last_step.sign() * (last_step.abs() - self.max_step_change).clamp(min=0)

    def follow(self, targets: Tensor, recent: Tensor) -> Tensor:
        """`step` after step along targets [..., F, A], from the two newest actions [2, A]. Feasible targets stay."""
        positions, position, last_step, before = [], recent[-1], recent[-1] - recent[-2], recent[-1]
        for target in targets.unbind(-2):
            after = self.step(target, before, position, last_step)
            last_step, position, before = after - position, after, target
            positions.append(position)
        return torch.stack(positions, dim=-2)

    def stop(self, recent: Tensor, frames: int) -> Tensor:
        """The motion [F, A] that holds still: it stops as fast as the limits allow, and stays there.

        A joint that starts outside its limits comes back to them.
        """
        last_step, change = recent[-1] - recent[-2], self.max_step_change
        ahead = torch.arange(1, frames + 1, device=recent.device)[:, None]
        steps = last_step.sign() * (last_step.abs() - ahead * change).clamp(min=0)
        braking = recent[-1] + steps.cumsum(dim=0)
        rest = braking[-1].clamp(self.lower, self.upper)
        return torch.where(braking[-1] == rest, braking, self.follow(rest.expand(frames, -1), recent))

    def project(self, actions: Tensor, recent: Tensor, stop: Tensor | None = None) -> Tensor:
        """Bring motions [..., F, A] within the limits, all frames at once. Motions within the limits do not change.

        The motions within the limits are a convex set, and `stop` is one of them. So each joint's motion is shrunk
        towards `stop` by the largest factor that keeps every limit at every frame. Where `stop` itself exceeds a limit,
        because the start does, the motion may exceed it as much.

        Args:
            actions: [..., F, A].
            recent: [2, A] the two newest actions, newest last.
            stop: [F, A] what `self.stop` returns for them, if it is known.
        """
        stop = self.stop(recent, actions.shape[-2]) if stop is None else stop
        share = torch.ones_like(actions[..., 0, :])
        limits = (
            (self.lower, self.upper),
            (-self.max_step, self.max_step),
            (-self.max_step_change, self.max_step_change),
        )
        for order, (low, high) in enumerate(limits):  # positions, steps, changes of steps
            safe, wanted = (_differences(motion, recent, order) for motion in (stop, actions))
            room_up, room_down = high.maximum(safe) - safe, safe - low.minimum(safe)
            excess = wanted - safe
            room = torch.where(excess > 0, room_up, room_down)
            # A thousandth of a percent for rounding
            factors = torch.where(excess.abs() <= room * 1.00001 + 1e-7, 1.0, room / excess.abs().clamp(min=1e-9))
            share = share.minimum(factors.amin(dim=-2))
        share = share[..., None, :]
        return torch.where(share < 1, stop + share * (actions - stop), actions)

    def _stoppable(self, distance: Tensor) -> Tensor:
        """The largest step after which a joint can still stop within a distance [..., A]; negative distances stay.

        A joint that slows down by `c` a frame from a step `v = n c` covers `c n (n + 1) / 2` in all. Between whole `n`
        the distance is linear in `v`.
        """
        change = self.max_step_change
        whole = ((1 + 8 * distance.clamp(min=0) / change).sqrt() / 2 - 0.5).floor()
        return torch.where(distance > 0, (distance + change * whole * (whole + 1) / 2) / (whole + 1), distance)


def _differences(motion: Tensor, recent: Tensor, order: int) -> Tensor:
    """Differences of an order 0 to 2 of motions [..., F, A] that continue `recent` [2, A]; [..., F, A]."""
    if order == 0:
        return motion
    before = recent[2 - order :].expand(*motion.shape[:-2], order, -1)
    return torch.cat([before, motion], dim=-2).diff(n=order, dim=-2)


def _each(what: str, value: float | Sequence[float], like: Tensor) -> Tensor:
    """[A] one positive number for each joint."""
    numbers = torch.as_tensor(value, dtype=torch.float32, device=like.device)
    if numbers.ndim > 1 or (numbers.ndim == 1 and len(numbers) != len(like)) or not bool((numbers > 0).all()):
        raise BadConfig(
            f"the {what} of the joints",
            expected=f"a positive number, or {len(like)} of them",
            got=value,
            remedy="Correct the limit.",
        )
    if not bool(numbers.isfinite().all()):
        raise BadConfig(f"the {what} of the joints", expected="finite numbers", got=value, remedy="Correct the limit.")
    return numbers.expand(len(like)).clone()
