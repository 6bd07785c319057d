"""The k likeliest codes of a distribution whose digits are independent, without looking at every code.

A code among the k likeliest begins with a prefix among the k likeliest prefixes: k better prefixes, each with the same
ending, would be k better codes. So digits are joined one by one and only k prefixes kept. With both sides sorted, the
pair (i, j) has (i + 1)(j + 1) pairs at least as good, itself among them, so that only pairs of (i + 1)(j + 1) <= k can
be among the k best. Of 64,000 codes in six digits 1,141 sums a digit are enough for the 500 likeliest.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor


def likeliest_codes(digit_log_probs: Sequence[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """The k likeliest codes, best first, and their log-probabilities; exact.

    Args:
        digit_log_probs: log-probabilities [..., l] of each digit, digit 0 fastest (see `tokenizers.fsq`).
        k: of all codes, if there are fewer.

    Returns:
        (codes int64 [..., k], log-probabilities [..., k]).
    """
    log_probs, codes = _best(digit_log_probs[0], k)
    radix = digit_log_probs[0].shape[-1]
    for digit in digit_log_probs[1:]:
        digit_values, digits = _best(digit, k)
        prefix, ending = _pairs(log_probs.shape[-1], digit_values.shape[-1], k, log_probs.device)
        log_probs, chosen = _best(log_probs[..., prefix] + digit_values[..., ending], k)
        codes = codes.gather(-1, prefix[chosen]) + radix * digits.gather(-1, ending[chosen])
        radix *= digit.shape[-1]
    return codes, log_probs


def _best(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    best = values.topk(min(k, values.shape[-1]), dim=-1)
    return best.values, best.indices


@cache
def _pairs(prefixes: int, digits: int, k: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions (i, j) in two sorted lists, of the pairs that may be among the k best."""
    prefix, ending = torch.meshgrid(torch.arange(prefixes), torch.arange(digits), indexing="ij")
    may_be = (prefix + 1) * (ending + 1) <= k
    return prefix[may_be].to(device), ending[may_be].to(device)
