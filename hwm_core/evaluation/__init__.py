"""The evaluation of world models on recorded and simulated episodes."""

from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.windows import EvaluationWindows

__all__ = ["Evaluation", "EvaluationConfig", "EvaluationResult", "EvaluationWindows", "ObjectTracks"]
