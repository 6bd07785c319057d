"""MaskGIT decoding: revealed sites, temperature, mean latents, seeds."""

import pytest
import torch
from masked_models import clip, model

from hwm_core.models.vocabulary import Vocabulary
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.masked_forward import UncachedForward
from hwm_core.sampling.maskgit import decode


class Oracle:
    """A forward pass whose hidden states are logits, the most likely token being the right one."""

    def __init__(self, answer: torch.Tensor, codebook: int) -> None:
        self.answer, self.codebook, self.next = answer, codebook, 0

    def hidden(self, tokens: torch.Tensor) -> torch.Tensor:
        truth = self.answer[:, self.next : self.next + tokens.shape[1], ..., 0]
        return 50.0 * torch.nn.functional.one_hot(truth, self.codebook)

    def append(self, tokens: torch.Tensor) -> None:
        self.next += tokens.shape[1]


def uniform(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.rand(shape, generator=generator)


@pytest.mark.parametrize("order", ["random", "confidence", "halton"])
@pytest.mark.parametrize("parallel", [False, True])
def test_an_oracle_gives_the_exact_tokens_and_every_site_is_revealed_once(order: str, parallel: bool) -> None:
    net, answer = model("base"), torch.randint(20, (4, 3, 2, 3, 1))
    net.vocabulary.head = torch.nn.Identity()
    sampling = Sampling(steps=4, order=order, temperature=1.0, soft=False, parallel=parallel)
    times = torch.zeros(4, 3, 2, 3)

    def count(start: int, hidden: torch.Tensor, sites: torch.Tensor) -> None:
        times[:, start : start + sites.shape[1]] += sites

    decoded = decode(net, Oracle(answer, 20), 4, 3, sampling, uniform(), count)
    assert torch.equal(decoded.tokens, answer[..., 0]) and (times == 1).all()


@pytest.mark.parametrize("factorised", [False, True])
def test_the_temperature_changes_how_often_the_most_likely_token_is_sampled(factorised: bool) -> None:
    vocabulary = Vocabulary((4, 3), 8, factorised=factorised)
    logits = torch.zeros(5000, sum(vocabulary.digits))
    logits[:, 0] = 2.0
    if factorised:
        logits[:, 4] = 2.0
    share = {
        t: (vocabulary.sample(logits, t, uniform()).tokens == 0).float().mean().item() for t in (0.0, 0.5, 1.0, 2.0)
    }
    assert share[0.0] == 1.0 > share[0.5] > share[1.0] > share[2.0]
    # Temperature 1 is the softmax: e^2/(e^2+11) = 0.402 flat, e^2/(e^2+3) * e^2/(e^2+2) = 0.560 factorised.
    assert abs(share[1.0] - (0.560 if factorised else 0.402)) < 0.03


def test_mean_latents_of_certain_logits_are_the_latents_of_the_code() -> None:
    for factorised in (False, True):
        vocabulary = Vocabulary((4, 3), 8, factorised=factorised, codes_per_site=2)
        tokens = torch.tensor([[5, 11]])
        digits = vocabulary._to_digits(tokens)
        logits = torch.cat(
            [100.0 * torch.nn.functional.one_hot(digits[:, i], n) for i, n in enumerate(vocabulary.digits)], dim=-1
        )
        torch.testing.assert_close(vocabulary.expected_latents(logits), vocabulary.latents(tokens))


def test_the_same_seed_gives_the_same_tokens_and_another_seed_different_tokens() -> None:
    net, (tokens, actions), sampling = model("base"), clip(), Sampling(temperature=1.0, order="random", soft=False)

    def run(seed: int) -> torch.Tensor:
        forward = UncachedForward(net, tokens[:, :2], actions, candidates=1)
        with torch.no_grad():
            return decode(net, forward, 1, 3, sampling, uniform(seed)).tokens

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))


def test_logits_are_computed_for_masked_sites_alone() -> None:
    net, answer, sites = model("base"), torch.randint(20, (4, 3, 2, 3, 1)), []
    net.vocabulary.head = torch.nn.Identity()
    net.vocabulary.head.register_forward_hook(lambda _, inputs, __: sites.append(inputs[0].shape[:2].numel()))
    decode(net, Oracle(answer, 20), 4, 3, Sampling(steps=2, order="random", soft=False), uniform())
    # Three latents of 6 sites for 4 candidates; the first step reveals 6 - floor(6 cos(45 degrees)) = 2 of each 6.
    assert sites == [4 * 3 * 6, 4 * 3 * 4]
