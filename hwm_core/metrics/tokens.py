"""How well distributions over codes predict the codes that came, in nats a code.

`CE` is the mean of -log p(code). *Top-500 CE* is what the 1X compression challenge ranks by; it sees no more of a
distribution than its 500 likeliest codes. Its rule is published in one sentence ("considers only the top-500 logits per
token", arXiv 2510.07092) and its scorer is not, so that what a code outside the 500 costs is not known. Here:

* `ce`: the 500 keep their probabilities, and what is left of 1 is spread evenly over all other codes. This is the code
  length of a real distribution, comparable with the CE of the whole one (never below it in expectation under the model)
  and with log(vocabulary). **This is our Top-500 CE.**
* `hit_rate`: how often the code was among the 500.
* `ce_of_hits`: softmax over the 500 alone, mean over the hits. The literal reading of the sentence; meaningless without
  the hit rate beside it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TOP = 500


@dataclass(frozen=True)
class TopCrossEntropy:
    """Sums over tokens; parts from batches and ranks are added up."""

    tokens: int
    hits: int
    right: int  # the likeliest code was the one that came
    nats: float
    nats_of_hits: float

    def __add__(self, other: "TopCrossEntropy") -> "TopCrossEntropy":
        return TopCrossEntropy(*(mine + its for mine, its in zip(vars(self).values(), vars(other).values())))

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
    """Judge the k likeliest codes of each token.

    Args:
        codes: int [..., k], the likeliest first, none twice.
        log_probs: float [..., k] of the same, normalised over the whole vocabulary.
        truth: int [...] the code that came.
        vocabulary: number of codes.
    """
    truth = truth.to(codes.dtype)
    known = log_probs.double()
    hit = codes == truth[..., None]
    is_hit = hit.any(-1)
    of_hit = (known * hit).sum(-1)  # 0 where there is none
    inside = known.logsumexp(-1)
    others = vocabulary - codes.shape[-1]
    # Rounding of 500 float32 may leave less than nothing; the floor is a probability of 1e-7 for all others together.
    left = torch.log((-torch.expm1(inside.clamp(max=0.0))).clamp_min(1e-7))
    of_miss = left - math.log(others) if others else left
    return TopCrossEntropy(
        tokens=truth.numel(),
        hits=int(is_hit.sum()),
        right=int((codes[..., 0] == truth).sum()),
        nats=-float(torch.where(is_hit, of_hit, of_miss).sum()),
        nats_of_hits=-float((of_hit - inside)[is_hit].sum()),
    )
