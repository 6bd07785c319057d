"""The two ends of the masked transformer: tokens to embeddings, hidden states to token distributions.

`flat` has one embedding and one logit for each code (the paper's). `factorised` treats a code as its FSQ digits: the
sum of one small embedding for each digit in, one small softmax for each digit out. For 64,000 codes that is 39 rows
instead of 64,000, and the mean of the digits is a soft latent. With patches, a site of the transformer holds several
neighbouring codes, whose digits are simply more digits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.models.likeliest import likeliest_codes
from hwm_core.nn.initialise import Init
from hwm_core.tokenizers.fsq import codes_to_digits, digit_values, digits_to_codes, digits_to_latents


@dataclass(frozen=True)
class Draw:
    """Tokens drawn from logits."""

    tokens: Tensor  # [..., P] code indices
    log_prob: Tensor  # [...] log-probability of what was drawn at each site
    latents: Tensor  # [..., P, C] expected latents under the logits


class Vocabulary(nn.Module):
    """Codes of an FSQ tokenizer, embedded and predicted digit by digit or (one digit as large as the codebook) flat.

    A site holds P codes (P = 1 without patches); they are masked and revealed together.
    """

    def __init__(self, levels: Sequence[int], dim: int, *, factorised: bool, codes_per_site: int = 1) -> None:
        super().__init__()
        self.levels, self.codes_per_site, self.factorised = tuple(levels), codes_per_site, factorised
        self.size = math.prod(self.levels)
        self.digits = (self.levels if factorised else (self.size,)) * codes_per_site
        self.embedding = nn.Embedding(sum(self.digits), dim)
        self.mask_embedding = nn.Parameter(torch.empty(1, dim))
        self.head = nn.Linear(dim, sum(self.digits))
        first = torch.tensor([0, *self.digits[:-1]]).cumsum(0)
        self.register_buffer("first_row", first, persistent=False)
        self.register_buffer("code_values", self._code_values(), persistent=False)

    def _code_values(self) -> Tensor:
        """Latent value of each logit of one code: [sum(levels)] when factorised, [codebook, C] when flat."""
        values = digit_values(self.levels)
        if self.factorised:
            return torch.cat(values)
        digits = codes_to_digits(torch.arange(self.size), self.levels)
        return torch.stack([table[digits[:, i]] for i, table in enumerate(values)], dim=-1)

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return (self.head,)

    @property
    def mask_token(self) -> int:
        """The index that stands for a masked token, one past the last code."""
        return self.size

    def reset_parameters(self, init: Init) -> None:
        """N(0, 0.02) for the table, Xavier for mask token and head (paper section 3.1); `fan_in`: unit-size tokens."""
        if init == "normal":
            nn.init.normal_(self.embedding.weight, std=0.02)
            nn.init.xavier_normal_(self.mask_embedding)
        else:
            nn.init.normal_(self.embedding.weight, std=len(self.digits) ** -0.5)
            nn.init.normal_(self.mask_embedding)
        nn.init.xavier_normal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def embed(self, tokens: Tensor) -> Tensor:
        """[..., P] code indices, all `mask_token` at a masked site -> [..., D]."""
        masked = tokens == self.mask_token
        rows = self._to_digits(tokens.masked_fill(masked, 0)) + self.first_row
        summed = F.embedding_bag(rows.flatten(0, -2), self.embedding.weight, mode="sum").unflatten(0, tokens.shape[:-1])
        return torch.where(masked[..., :1], self.mask_embedding, summed)

    def cross_entropy(
        self, hidden: Tensor, tokens: Tensor, count: Tensor | float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean negative log-likelihood of a code, and how often the greedy code is right.

        Args:
            hidden: [M, D] states of M sites.
            tokens: [M, P] their codes.
            count: what the sums over the sites are divided by; default: M.
        """
        digits, count = self._to_digits(tokens), len(tokens) if count is None else count
        parts = self._split(self.head(hidden).float())
        losses = [F.cross_entropy(logits, digits[:, i], reduction="sum") / count for i, logits in enumerate(parts)]
        right = torch.stack([logits.argmax(-1) for logits in parts], dim=-1) == digits
        all_right = right.unflatten(-1, (self.codes_per_site, -1)).all(-1).float().mean(-1)
        return torch.stack(losses).sum() / self.codes_per_site, all_right.sum() / count

    def draw(self, logits: Tensor, temperature: float, uniform: Callable[[torch.Size], Tensor]) -> Draw:
        """Draw tokens from [..., sum(digits)] logits.

        Args:
            temperature: 0 is greedy; otherwise logits are divided by it before drawing (Gumbel-max).
            uniform: draws U(0,1) of a shape; the caller owns the generator.
        """
        chosen, log_prob = [], []
        for part in self._split(logits.float()):
            noisy = part
            if temperature > 0:
                noisy = part / temperature - torch.log(-torch.log(uniform(part.shape).clamp(1e-9, 1 - 1e-7)))
            digit = noisy.argmax(-1, keepdim=True)
            chosen.append(digit)
            log_prob.append(part.log_softmax(-1).gather(-1, digit))
        tokens = self._from_digits(torch.cat(chosen, dim=-1))
        return Draw(tokens, torch.cat(log_prob, dim=-1).sum(-1), self.expected_latents(logits))

    def expected_latents(self, logits: Tensor) -> Tensor:
        """Mean latents [..., P, C] under [..., sum(digits)] logits: soft latents, without sampling noise."""
        parts = [part.softmax(-1) for part in self._split(logits.float())]
        if not self.factorised:
            return torch.stack([part @ self.code_values for part in parts], dim=-2)
        values = self.code_values.split(self.levels) * self.codes_per_site
        latents = torch.stack([(p * v).sum(-1) for p, v in zip(parts, values)], dim=-1)
        return latents.unflatten(-1, (self.codes_per_site, -1))

    def likeliest(self, logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k likeliest codes of each token, best first, and their log-probabilities over the whole codebook; exact.

        Args:
            logits: [..., sum(digits)].

        Returns:
            (codes int64 [..., P, k], log-probabilities float32 [..., P, k]).
        """
        parts = [part.log_softmax(-1) for part in self._split(logits.float())]
        each = len(parts) // self.codes_per_site
        found = [likeliest_codes(parts[i : i + each], k) for i in range(0, len(parts), each)]
        codes, log_probs = zip(*found)
        return torch.stack(codes, dim=-2), torch.stack(log_probs, dim=-2)

    def log_prob(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Log-probabilities [..., P] of tokens [..., P] under [..., sum(digits)] logits."""
        digits = self._to_digits(tokens)
        parts = [part.log_softmax(-1) for part in self._split(logits.float())]
        of_digits = torch.cat([part.gather(-1, digits[..., i, None]) for i, part in enumerate(parts)], dim=-1)
        return of_digits.unflatten(-1, (self.codes_per_site, -1)).sum(-1)

    def latents(self, tokens: Tensor) -> Tensor:
        """Latents [..., C] that code indices [...] stand for."""
        return digits_to_latents(codes_to_digits(tokens, self.levels), self.levels)

    def _split(self, logits: Tensor) -> tuple[Tensor, ...]:
        return logits.split(self.digits, dim=-1)

    def _to_digits(self, tokens: Tensor) -> Tensor:
        return codes_to_digits(tokens, self.levels).flatten(-2) if self.factorised else tokens

    def _from_digits(self, digits: Tensor) -> Tensor:
        if not self.factorised:
            return digits
        return digits_to_codes(digits.unflatten(-1, (self.codes_per_site, -1)), self.levels)
