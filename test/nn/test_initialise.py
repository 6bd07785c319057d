"""Initial weights as the reports state them."""

import pytest
import torch
from eight_models import Case


@pytest.mark.parametrize("options", [False, True])
def test_an_st_transformer_starts_from_n_0_0_02_with_biases_of_0_and_norms_of_1(options: bool) -> None:
    net = Case("st_transformer", "base", "time_aligned", options).build(random=False, dim=64)
    assert net.config.init == "normal"
    drawn = {name: p.detach() for name, p in net.named_parameters() if p.ndim > 1}
    for name, weights in drawn.items():  # 5 standard errors
        assert abs(weights.std() / 0.02 - 1) < 5 * (2 * weights.numel()) ** -0.5, name
        assert abs(weights.mean()) < 5 * 0.02 * weights.numel() ** -0.5, name
    together = torch.cat([weights.flatten() for weights in drawn.values()]) / 0.02
    assert (together.abs() < 1).float().mean() == pytest.approx(0.6827, abs=0.01)  # it is normal
    for name, parameter in net.named_parameters():
        if parameter.ndim == 1:
            assert torch.equal(parameter, torch.zeros_like(parameter) if "bias" in name else torch.ones_like(parameter))


@pytest.mark.parametrize("variant", ["base", "split"])
def test_embeddings_and_matrices_of_a_masked_model_start_from_n_0_0_02_with_biases_of_0(variant: str) -> None:
    net = Case("masked", variant, "time_aligned").build(random=False, init="normal", dim=64)
    weights = [net.vocabulary.embedding.weight]
    weights += [one.weight for one in net.backbone.modules() if isinstance(one, torch.nn.Linear)]
    assert len(weights) > 10
    for one in weights:
        assert abs(one.std() / 0.02 - 1) < 5 * (2 * one.numel()) ** -0.5
    biases = [p for name, p in net.named_parameters() if name.endswith("bias")]
    assert biases and not any(bias.any() for bias in biases)
