"""Controllers that look at nothing: hold still, and move at random."""

import numpy as np

from hwm_core.evaluation.closed_loop.controller import Decision, Situation
from hwm_core.evaluation.sim_observer import SimObservation

_MOVE_SECONDS = 0.8
_SPREAD = 0.8  # of a random posture, in the scales of the joints: that of a planner's first proposals


class Hold:
    """Stays where it is."""

    def __init__(self, situation: Situation) -> None:
        self.replan_frames = situation.frames

    def decide(self, observation: SimObservation) -> Decision:
        return Decision(observation.actions[-1:])


class RandomMotion:
    """Moves to random postures around the newest one."""

    def __init__(self, situation: Situation) -> None:
        self._space, self._rng = situation.space, np.random.default_rng(situation.seed)
        self.replan_frames = max(1, round(_MOVE_SECONDS * situation.space.frame_rate_hz))

    def decide(self, observation: SimObservation) -> Decision:
        now, scale = observation.actions[-1], self._space.scale.cpu().numpy()
        posture = now + _SPREAD * scale * self._rng.standard_normal(len(now))
        progress = np.linspace(0, 1, self.replan_frames + 1)[1:, None]
        return Decision((now + progress * (posture - now)).astype(np.float32))
