"""Input and output of a transformer over codes: tokens to embeddings, hidden states to token distributions.

`flat` has one embedding and one logit for each code, as in the paper. `factorised` treats a code as its FSQ digits: the
input is the sum of one small embedding per digit, the output one small softmax per digit. For 64,000 codes these are 39
embeddings instead of 64,000, and the mean over the digits is a soft latent. With patches, a site of the transformer
holds several neighbouring codes, and the digits of a site are those of all its codes.

`tied`: the embeddings are the rows of the output matrix too (Press and Wolf 2017), without a bias.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hwm_core.models.top_codes import top_codes
from hwm_core.nn.initialise import Init
from hwm_core.tokenizers.fsq import codes_to_digits, digit_values, digits_to_codes, digits_to_latents

_LOGITS = 2**26  # logits that exist at once: 268 MB in float32


@dataclass(frozen=True)
class SampledTokens:
    """Tokens sampled from logits."""

    tokens: Tensor  # [..., P] code indices
    log_prob: Tensor  # [...] log-probability of the sampled tokens of each site
    latents: Tensor  # [..., P, C] expected latents under the logits


class TiedHead(nn.Module):
    """Logits as products with the vectors of an embedding. The embedding is not a sub-module: it is saved once."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self._embedding = (embedding,)  # in a tuple, so that it is not registered

    def forward(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self._embedding[0].weight)


class Vocabulary(nn.Module):
    """Embeds and predicts the codes of an FSQ tokenizer: by digit, or flat (one digit as large as the codebook).

    A site holds P codes (P = 1 without patches). They are masked and revealed together.

    Args:
        tied: embeddings and output matrix are one.
        masks: whether there is an embedding of the mask token.
        scale: factor of the embeddings at the input.
    """

    first_index: Tensor  # [digits of a site], the first embedding of each digit
    code_values: Tensor  # the latent value of each logit of one code

    def __init__(
        self,
        levels: Sequence[int],
        dim: int,
        *,
        factorised: bool,
        codes_per_site: int = 1,
        tied: bool = False,
        masks: bool = True,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.levels, self.codes_per_site, self.factorised = tuple(levels), codes_per_site, factorised
        self.size = math.prod(self.levels)
        self.digits = (self.levels if factorised else (self.size,)) * codes_per_site
        self.embedding = nn.Embedding(sum(self.digits), dim)
        self.mask_embedding = nn.Parameter(torch.empty(1, dim)) if masks else None
        self.head = TiedHead(self.embedding) if tied else nn.Linear(dim, sum(self.digits))
        first = torch.tensor([0, *self.digits[:-1]]).cumsum(0)
        self.register_buffer("first_index", first, persistent=False)
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
        """The index of a masked token: one past the last code."""
        return self.size

    def reset_parameters(self, init: Init) -> None:
        """N(0, 0.02) for embeddings, Xavier for mask token and head (paper section 3.1); `fan_in`: unit-size tokens."""
        std = 0.02 if init == "normal" else len(self.digits) ** -0.5 / self.scale
        nn.init.normal_(self.embedding.weight, std=std)
        if self.mask_embedding is not None:
            if init == "normal":
                nn.init.xavier_normal_(self.mask_embedding)
            else:
                nn.init.normal_(self.mask_embedding)
        if isinstance(self.head, nn.Linear):
            nn.init.xavier_normal_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def embed(self, tokens: Tensor) -> Tensor:
        """Code indices [..., P] -> [..., D]; at a masked site all P are `mask_token`."""
        if self.mask_embedding is None:
            return self._embed_codes(tokens)
        masked = tokens == self.mask_token
        return torch.where(masked[..., :1], self.mask_embedding, self._embed_codes(tokens.masked_fill(masked, 0)))

    def _embed_codes(self, tokens: Tensor) -> Tensor:
        index = (self._to_digits(tokens) + self.first_index).flatten(0, -2)
        summed = F.embedding_bag(index, self.embedding.weight, mode="sum").unflatten(0, tokens.shape[:-1])
        return summed if self.scale == 1.0 else summed * self.scale

    def cross_entropy(
        self, hidden: Tensor, tokens: Tensor, count: Tensor | float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean negative log-likelihood of a code, and the accuracy of the most likely code.

        The logits of all sites may not fit into memory (64,000 for each), so they are computed in parts.

        Args:
            hidden: [M, D], hidden states of M sites.
            tokens: [M, P], the true codes of these sites.
            count: divides the sums over the sites; default: M.
        """
        digits, count = self._to_digits(tokens), len(tokens) if count is None else count
        parts = zip(hidden.split(self.sites_at_once()), digits.split(self.sites_at_once()))
        if len(hidden) <= self.sites_at_once():
            sums = [self._cross_entropy(hidden, digits, count)]
        elif torch.is_grad_enabled():  # the logits of a part are computed again in the backward pass
            again = partial(checkpoint, self._cross_entropy, use_reentrant=False, preserve_rng_state=False)
            sums = [again(*part, count) for part in parts]
        else:
            sums = [self._cross_entropy(states, of_part, count) for states, of_part in parts]
        loss, accuracy = (torch.stack(values).sum() for values in zip(*sums))
        return loss, accuracy

    def sites_at_once(self, rows: int = 1) -> int:
        """How many sites of each of `rows` rows have their logits in memory at once."""
        return max(1, _LOGITS // (rows * sum(self.digits)))

    def _cross_entropy(self, hidden: Tensor, digits: Tensor, count: Tensor | float) -> tuple[Tensor, Tensor]:
        """As `cross_entropy`, for sites whose logits fit into memory together; digits [M, digits of a site]."""
        parts = self._split(self.head(hidden).float())
        losses = [F.cross_entropy(logits, digits[:, i], reduction="sum") / count for i, logits in enumerate(parts)]
        correct = torch.stack([logits.argmax(-1) for logits in parts], dim=-1) == digits
        correct_codes = correct.unflatten(-1, (self.codes_per_site, -1)).all(-1).float().mean(-1)
        return torch.stack(losses).sum() / self.codes_per_site, correct_codes.sum() / count

    def sample(self, logits: Tensor, temperature: float, uniform: Callable[[torch.Size], Tensor]) -> SampledTokens:
        """Sample tokens from logits [..., sum(digits)].

        Args:
            temperature: 0 is greedy; otherwise the logits are divided by it before sampling (Gumbel-max).
            uniform: draws U(0,1) numbers of a shape; the caller owns the generator.
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
        return SampledTokens(tokens, torch.cat(log_prob, dim=-1).sum(-1), self.expected_latents(logits))

    def likeliest(self, logits: Tensor) -> Tensor:
        """The likeliest code indices [..., P] under logits [..., sum(digits)]."""
        return self._from_digits(torch.cat([part.argmax(-1, keepdim=True) for part in self._split(logits)], dim=-1))

    def expected_latents(self, logits: Tensor) -> Tensor:
        """Mean latents [..., P, C] under logits [..., sum(digits)]: soft latents, without sampling noise."""
        parts = [part.softmax(-1) for part in self._split(logits.float())]
        if not self.factorised:
            return torch.stack([part @ self.code_values for part in parts], dim=-2)
        values = self.code_values.split(self.levels) * self.codes_per_site
        latents = torch.stack([(p * v).sum(-1) for p, v in zip(parts, values)], dim=-1)
        return latents.unflatten(-1, (self.codes_per_site, -1))

    def top_codes(self, logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k most likely codes of each token, best first, and their log-probabilities over the codebook; exact.

        Args:
            logits: [..., sum(digits)].

        Returns:
            (codes int64 [..., P, k], log-probabilities float32 [..., P, k]).
        """
        parts = [part.log_softmax(-1) for part in self._split(logits.float())]
        per_code = len(parts) // self.codes_per_site
        found = [top_codes(parts[i : i + per_code], k) for i in range(0, len(parts), per_code)]
        codes, log_probs = zip(*found)
        return torch.stack(codes, dim=-2), torch.stack(log_probs, dim=-2)

    def log_prob(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Log-probabilities [..., P] of tokens [..., P] under logits [..., sum(digits)]."""
        digits = self._to_digits(tokens)
        parts = [part.log_softmax(-1) for part in self._split(logits.float())]
        of_digits = torch.cat([part.gather(-1, digits[..., i, None]) for i, part in enumerate(parts)], dim=-1)
        return of_digits.unflatten(-1, (self.codes_per_site, -1)).sum(-1)

    def entropy(self, logits: Tensor) -> Tensor:
        """Entropy [..., P] in nats of each token under logits [..., sum(digits)]."""
        parts = [part.log_softmax(-1) for part in self._split(logits.float())]
        of_digits = torch.stack([-(part.exp() * part).sum(-1) for part in parts], dim=-1)
        return of_digits.unflatten(-1, (self.codes_per_site, -1)).sum(-1)

    def latents(self, tokens: Tensor) -> Tensor:
        """Code indices [...] -> their latents [..., C]."""
        return digits_to_latents(codes_to_digits(tokens, self.levels), self.levels)

    def _split(self, logits: Tensor) -> tuple[Tensor, ...]:
        return logits.split(self.digits, dim=-1)

    def _to_digits(self, tokens: Tensor) -> Tensor:
        return codes_to_digits(tokens, self.levels).flatten(-2) if self.factorised else tokens

    def _from_digits(self, digits: Tensor) -> Tensor:
        if not self.factorised:
            return digits
        return digits_to_codes(digits.unflatten(-1, (self.codes_per_site, -1)), self.levels)
