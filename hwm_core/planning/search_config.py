"""Settings of the search."""

from pydantic import Field

from hwm_core.config import Config
from hwm_core.planning.solvers.table import SolverConfigs, SolverName


class SearchConfig(Config):
    """Settings of `Search`. A plan predicts about `nominal_futures` futures, without polishing."""

    joints: tuple[str, ...] = Field(default=(), description="joints that are planned; the others hold; empty: all")
    proposals: int = Field(default=96, ge=0, description="random motions of the first batch, shared by the primitives")
    first_batches: int = Field(
        default=3,
        ge=1,
        description="batches of `proposals` in a plan that continues no other; later plans rarely leave its kind of"
        " motion",
    )
    refinements: int = Field(default=2, ge=0, description="how often the best motions of the primitives are varied")
    variations: int = Field(default=48, ge=1, description="candidates of a refinement, shared by all primitives")
    parents: int = Field(
        default=6, ge=1, description="best motions of each primitive, and best motions of all, that a refinement varies"
    )
    narrowing: float = Field(
        default=0.6, gt=0.0, le=1.0, description="factor of the size of variations after each refinement"
    )
    halving: tuple[int, ...] = Field(
        default=(), description="steps of cheaper predictions that screen each batch, fewest first; empty: none"
    )
    kept: float = Field(
        default=0.5, gt=0.0, le=1.0, description="share of a batch that each cheaper prediction passes on"
    )
    polish: bool = Field(default=False, description="whether a solver bends the best motion by splines of the joints")
    solver: SolverName = Field(default="icem", description="cem, icem, mppi or gradient")
    solvers: SolverConfigs = SolverConfigs()
    knots: int = Field(default=2, ge=1, description="spline knots over the horizon; as many as frames: no spline")
    spread: float = Field(default=0.2, gt=0.0, description="first standard deviation of a knot, in joint scales")
    margin: float = Field(
        default=0.02,
        ge=0.0,
        description="a motion must be better than holding, and than the rest of the last plan, by this share of the"
        " cost of holding",
    )
    least_gain: float = Field(
        default=0.005,
        ge=0.0,
        description="a motion must also be better by at least this; 1 is the cost of the scene when the goal was set",
    )

    def nominal_futures(self, first: bool = False) -> int:
        """Proposals, refinements, and the motions tried beside; `first`: of a plan that continues none."""
        batches = self.first_batches if first else 1
        return batches * self.proposals + self.refinements * self.variations + 8
