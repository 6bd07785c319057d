"""What the rows of the closed loop are made of: a world model, baselines, settings."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch

from hwm_core.device import flush_denormals
from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.baselines.files import Baselines, read_baselines
from hwm_core.evaluation.closed_loop.baselines.nearest import MotionLibrary
from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.limits import joint_space
from hwm_core.evaluation.closed_loop.view import plain_view
from hwm_core.evaluation.sim_observer import SimObservation, View
from hwm_core.planning.joint_space import JointSpace
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past


@dataclass(frozen=True)
class Resources:
    """Loaded resources."""

    view: View
    config: PlanningConfig
    world_model: WorldModel | None = None
    baselines: Baselines | None = None

    @property
    def space(self) -> JointSpace:
        """Limits and scales of the view's joints."""
        return joint_space(self.view, self.config)

    @cached_property
    def library(self) -> MotionLibrary:
        """The recorded motions."""
        return self.fitted.library()

    @property
    def fitted(self) -> Baselines:
        """The baselines. Raises BadConfig without them, or if they see other images than the other rows."""
        if self.baselines is None:
            raise BadConfig(
                "Rows of baselines", expected="--baselines", got="none", remedy="Fit them: `hwm bench fit-baselines`."
            )
        if self.baselines.description.preprocessing != self.view.preprocessing:
            expected, got = self.view.preprocessing.differences(self.baselines.description.preprocessing)
            raise BadConfig(
                "Baselines",
                expected=f"the preprocessing of the other rows, {expected}",
                got=got,
                remedy="Fit them on a store of that preprocessing.",
            )
        return self.baselines

    @property
    def model(self) -> WorldModel:
        """The world model. Raises BadConfig without one."""
        if self.world_model is None:
            raise BadConfig("Rows of a model", expected="--checkpoint", got="none", remedy="Name a checkpoint.")
        return self.world_model

    def past(self, observation: SimObservation) -> Past:
        """The model's encoded context."""
        return self.model.observe(observation.frames, observation.actions)


@dataclass(frozen=True)
class ResourcesSpec:
    """What a process loads."""

    checkpoint: Path | None
    baselines: Path | None
    config: Path | None  # YAML of PlanningConfig
    device: str
    threads: int  # of torch

    def load(self) -> Resources:
        """The loaded resources; the same ones for the same spec in one process. Raises as the readers."""
        return _load(self)


@lru_cache(maxsize=1)
def _load(spec: ResourcesSpec) -> Resources:
    flush_denormals()
    torch.set_num_threads(spec.threads)
    config = PlanningConfig.read(spec.config) if spec.config else PlanningConfig()
    baselines = read_baselines(spec.baselines) if spec.baselines else None
    if spec.checkpoint:
        model = WorldModel.load(spec.checkpoint, device=spec.device)
        return Resources(model, config, model, baselines)
    return Resources(plain_view() if baselines is None else baselines.view, config, None, baselines)
