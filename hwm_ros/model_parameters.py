"""Parameters of a served model."""

from pydantic import Field

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT
from hwm_core.config import Config
from hwm_core.evaluation.closed_loop.baselines.proposals import ProposalConfig
from hwm_core.live.model import LiveConfig
from hwm_core.live.requests import RequestLimits
from hwm_core.live.surprise import SurpriseConfig
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.limits import Limits
from hwm_core.planning.proposals.arm import ArmConfig
from hwm_core.planning.search_config import SearchConfig
from hwm_core.precision_name import PRECISION_HELP, Precision
from hwm_ros.parameters import LIVE


class ModelParameters(Config):
    """Which model is loaded, and how it predicts, scores and plans."""

    checkpoint: str = Field(default=DEFAULT, description=CHECKPOINT_HELP)
    device: str = Field(default="cpu", description="PyTorch device of the model, for example cpu or cuda:0")
    dtype: Precision = Field(
        default="auto", description=f"precision of the computation: bfloat16, float32, or {PRECISION_HELP}"
    )
    live: LiveConfig = LiveConfig()
    requests: RequestLimits = RequestLimits()
    surprise: SurpriseConfig = SurpriseConfig()
    objective: Objective = Field(default=Objective(), json_schema_extra=LIVE)
    search: SearchConfig = SearchConfig()
    arm: ArmConfig = ArmConfig()
    proposals: ProposalConfig = ProposalConfig()
    limits: Limits = Limits()
