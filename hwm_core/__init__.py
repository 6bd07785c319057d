"""Humanoid World Models: the library. No ROS, no printing, no environment, no network.

The public names are imported on first use: `import hwm_core` is fast and does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwm_core.errors import BadInput
    from hwm_core.planning.costs.objective import Objective
    from hwm_core.planning.joint_space import JointSpace
    from hwm_core.planning.scoring import ScoreEngine
    from hwm_core.planning.search import Search
    from hwm_core.planning.search_config import SearchConfig
    from hwm_core.sampling.config import Sampling
    from hwm_core.types import Rollout
    from hwm_core.world_model.dynamics import WorldModelDynamics
    from hwm_core.world_model.model import WorldModel

__version__ = "0.1.0"

__all__ = [
    "BadInput",
    "JointSpace",
    "Objective",
    "Rollout",
    "Sampling",
    "ScoreEngine",
    "Search",
    "SearchConfig",
    "WorldModel",
    "WorldModelDynamics",
]

_MODULES = {
    "BadInput": "errors",
    "JointSpace": "planning.joint_space",
    "Objective": "planning.costs.objective",
    "Rollout": "types",
    "Sampling": "sampling.config",
    "ScoreEngine": "planning.scoring",
    "Search": "planning.search",
    "SearchConfig": "planning.search_config",
    "WorldModel": "world_model.model",
    "WorldModelDynamics": "world_model.dynamics",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
