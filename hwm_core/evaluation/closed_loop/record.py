"""An episode as numbers: what the results file keeps."""

import numpy as np
from pydantic import Field

from hwm_core.config import Config
from hwm_core.evaluation.closed_loop.episode import ClosedLoopEpisode


class EpisodeRecord(Config):
    """The numbers of one episode; errors in the unit of its task."""

    success: bool = Field(description="at the end")
    success_at_closest: bool
    errors: tuple[float, ...] = Field(description="at the start and after every frame, F + 1 values")
    decisions: int = Field(ge=1)
    futures: int = Field(ge=0, description="predicted in all decisions")
    decision_seconds: tuple[float, float] = Field(description="processor time of a decision: median and maximum")

    @property
    def final(self) -> float:
        """Error at the end."""
        return self.errors[-1]

    @classmethod
    def of(cls, episode: ClosedLoopEpisode) -> "EpisodeRecord":
        """The record of an episode."""
        seconds = [decision.seconds for decision in episode.decisions]
        return cls(
            success=episode.success,
            success_at_closest=episode.success_at_closest,
            errors=tuple(round(float(error), 5) for error in episode.errors),
            decisions=len(episode.decisions),
            futures=sum(decision.futures for decision in episode.decisions),
            decision_seconds=(round(float(np.median(seconds)), 4), round(max(seconds), 4)),
        )
