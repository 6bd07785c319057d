"""Scores of the compression track.

Every sample is predicted under these conditions::

    model           from past grids and all actions: the prediction that is submitted
    shuffled        the same with shuffled actions: the motion of another take, from the sample's own state
    none            the same with dropped actions
    teacher_forced  each grid attends to the true grids before it: a bound, not a prediction
    teacher_forced_no_actions
                    the same with dropped actions, past actions included. 1X ranked v1.1 without future actions

Two baselines need no model. `uniform` is log(vocabulary). `copy_last` gives the code of the newest past grid one
probability p and spreads 1 - p evenly over the other codes, so its Top-500 CE equals its CE. p is the best value in
hindsight.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.challenge.compressor import TopCodes
from hwm_core.metrics.tokens import TopCrossEntropy, top_cross_entropy

Condition = Literal["model", "shuffled", "none", "teacher_forced", "teacher_forced_no_actions"]
CONDITIONS: tuple[Condition, ...] = ("model", "shuffled", "none", "teacher_forced", "teacher_forced_no_actions")


@dataclass(frozen=True)
class SampleScore:
    """The score of one sample under one condition: sums over its tokens."""

    tokens: int
    hits: int  # the true code is among the k likeliest codes
    right: int  # the true code is the likeliest code
    nats: float  # Top-k cross-entropy
    nats_of_hits: float  # under a softmax over the k codes
    nats_of_all: float  # cross-entropy of the whole distribution

    @classmethod
    def of(cls, predicted: TopCodes, index: int, truth: NDArray[np.int64], vocabulary: int) -> "SampleScore":
        """Score sample `index` of a batch against its true tokens [T, H, W]."""
        assert predicted.of_truth is not None
        top = top_cross_entropy(predicted.codes[index], predicted.log_probs[index], torch.from_numpy(truth), vocabulary)
        return cls(**asdict(top), nats_of_all=-float(predicted.of_truth[index].double().sum()))

    @property
    def top(self) -> TopCrossEntropy:
        """The numbers of the k likeliest codes."""
        return TopCrossEntropy(self.tokens, self.hits, self.right, self.nats, self.nats_of_hits)

    @property
    def ce(self) -> float:
        """Cross-entropy of the whole distribution, nats per token."""
        return self.nats_of_all / self.tokens

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)
