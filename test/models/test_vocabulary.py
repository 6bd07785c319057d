"""Cross-entropy in parts: the same numbers in less memory."""

import pytest
import torch

from hwm_core.models import vocabulary as module
from hwm_core.models.vocabulary import Vocabulary


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("factorised", [False, True])
def test_a_cross_entropy_in_parts_has_the_loss_and_the_gradients_of_one_part(
    factorised: bool, tied: bool, monkeypatch
) -> None:
    def results(logits: int) -> list[torch.Tensor]:
        monkeypatch.setattr(module, "_LOGITS", logits)
        torch.manual_seed(0)
        vocabulary = Vocabulary((5, 4), 8, factorised=factorised, codes_per_site=2, tied=tied, masks=not tied)
        vocabulary.reset_parameters("fan_in")
        hidden, tokens = torch.randn(23, 8, requires_grad=True), torch.randint(20, (23, 2))
        loss, accuracy = vocabulary.cross_entropy(hidden, tokens, count=17.0)
        loss.backward()
        with torch.no_grad():
            again, _ = vocabulary.cross_entropy(hidden, tokens, count=17.0)
        assert torch.equal(again, loss)
        return [loss, accuracy, hidden.grad, vocabulary.embedding.weight.grad if tied else vocabulary.head.weight.grad]

    whole, parts = results(10**6), results(4 * 40)  # at most 8 sites of 18 or 40 logits at once
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
