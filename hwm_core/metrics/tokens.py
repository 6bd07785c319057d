"""Measures how well distributions over codes predict the true codes, in nats per code.

`CE` is the mean of -log p(code). The 1X compression challenge ranks by *Top-500 CE*, which uses only the 500 likeliest
codes of a distribution. Its rule is published in one sentence ("considers only the top-500 logits per token", arXiv
2510.07092). Its scorer is not published, so the cost of a code outside the 500 is unknown. Here:

* `ce`: the 500 codes keep their probabilities, and the remaining probability is spread evenly over all other codes. It
  is the code length under a proper distribution, so it is comparable with log(vocabulary) and with the CE of the whole
  distribution. In expectation under the model, it is never below the CE of the whole distribution. **This is hwm's
  Top-500 CE.**
* `hit_rate`: how often the true code is among the 500.
* `ce_of_hits`: the CE of a softmax over the 500 codes only, as a mean over the hits. This is the literal reading of the
  sentence. It has no meaning without the hit rate.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TOP = 500


@dataclass(frozen=True)
class TopCrossEntropy:
    """Sums over tokens. The results of batches and ranks can be added."""

    tokens: int
    hits: int
    right: int  # the likeliest code is the true code
    nats: float
    nats_of_hits: float

    def __add__(self, other: "TopCrossEntropy") -> "TopCrossEntropy":
        return TopCrossEntropy(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))

    @property
    def ce(self) -> float:
        """Top-k CE in nats; NaN without tokens."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def ce_of_hits(self) -> float:
        """NaN without hits."""
        return self.nats_of_hits / self.hits if self.hits else math.nan

    @property
    def hit_rate(self) -> float:
        return self.hits / self.tokens if self.tokens else math.nan

    @property
    def accuracy(self) -> float:
        return self.right / self.tokens if self.tokens else math.nan


NOTHING = TopCrossEntropy(0, 0, 0, 0.0, 0.0)


def top_cross_entropy(codes: Tensor, log_probs: Tensor, truth: Tensor, vocabulary: int) -> TopCrossEntropy:
    """Evaluate the k likeliest codes of each token.

    Args:
        codes: int [..., k], likeliest first, without duplicates.
        log_probs: float [..., k] of these codes, normalised over the whole vocabulary.
        truth: int [...] the true codes.
        vocabulary: number of codes.
    """
    truth = truth.to(codes.dtype)
    known = log_probs.double()
    hit = codes == truth[..., None]
    is_hit = hit.any(-1)
    of_hit = (known * hit).sum(-1)  # 0 where there is no hit
    inside = known.logsumexp(-1)
    others = vocabulary - codes.shape[-1]
    # Rounding of 500 float32 values may leave less than 0. All other codes together have probability 1e-7 or more.
    left = torch.log((-torch.expm1(inside.clamp(max=0.0))).clamp_min(1e-7))
    of_miss = left - math.log(others) if others else left
    return TopCrossEntropy(
        tokens=truth.numel(),
        hits=int(is_hit.sum()),
        right=int((codes[..., 0] == truth).sum()),
        nats=-float(torch.where(is_hit, of_hit, of_miss).sum()),
        nats_of_hits=-float((of_hit - inside)[is_hit].sum()),
    )
