"""The table of solvers."""

from typing import Literal

from hwm_core.config import Config
from hwm_core.planning.solvers.base import Solver
from hwm_core.planning.solvers.cem import CEM, CEMConfig
from hwm_core.planning.solvers.gradient import Gradient, GradientConfig
from hwm_core.planning.solvers.icem import ICEM, ICEMConfig
from hwm_core.planning.solvers.mppi import MPPI, MPPIConfig

SolverName = Literal["cem", "icem", "mppi", "gradient"]


class SolverConfigs(Config):
    """Settings of every solver; those of the chosen one count."""

    cem: CEMConfig = CEMConfig()
    icem: ICEMConfig = ICEMConfig()
    mppi: MPPIConfig = MPPIConfig()
    gradient: GradientConfig = GradientConfig()


def make_solver(name: SolverName, configs: SolverConfigs) -> Solver:
    """The solver of this name, with its settings."""
    solvers: dict[SolverName, Solver] = {
        "cem": CEM(configs.cem),
        "icem": ICEM(configs.icem),
        "mppi": MPPI(configs.mppi),
        "gradient": Gradient(configs.gradient),
    }
    return solvers[name]
