"""The k most likely codes of a distribution whose digits are independent, without computing every code.

The digits are joined one by one, and only the k most likely prefixes are kept. This is exact: if a prefix is not among
the k most likely ones, then each code with this prefix has k codes with the same last digits that are more likely.
With both lists sorted, a pair (i, j) has (i + 1)(j + 1) pairs that are at least as likely, including itself. So only
pairs with (i + 1)(j + 1) <= k can be among the k best. For 64,000 codes of six digits, 1,141 sums per digit are enough
for the 500 most likely codes.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor


def top_codes(digit_log_probs: Sequence[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """The k most likely codes, best first, and their log-probabilities; exact.

    Args:
        digit_log_probs: log-probabilities [..., l] of each digit, digit 0 fastest (see `tokenizers.fsq`).
        k: number of codes; all codes if there are fewer.

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
    """Indices (i, j) into two sorted lists, for the pairs that can be among the k best."""
    prefix, ending = torch.meshgrid(torch.arange(prefixes), torch.arange(digits), indexing="ij")
    can_be = (prefix + 1) * (ending + 1) <= k
    return prefix[can_be].to(device), ending[can_be].to(device)
