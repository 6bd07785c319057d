"""Predictions compile as one graph: nothing in them leaves PyTorch, whatever the family and its options."""

from typing import Any

import pytest
import torch
from eight_models import FACTOR, LATENTS, PAST, Case

ONE_OF_EACH = [
    Case("masked", "base", "time_aligned"),
    Case("masked", "split", "time_aligned", options=True),
    Case("flow", "split", "clean_context"),
    Case("flow", "modality_shared", "clean_context", options=True),
    Case("st_transformer", "base", "time_aligned"),
    Case("st_transformer", "base", "time_aligned", options=True),
]


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_a_prediction_from_a_cached_past_is_one_graph(case: Case) -> None:
    torch.compiler.reset()
    net = case.build(depth=2)
    codes, actions = case.clip(batch=2)
    past, future = actions[:1, : 1 + (PAST - 1) * FACTOR], actions[:, 1 + (PAST - 1) * FACTOR :]
    with torch.no_grad():
        if case.family == "masked":
            sites = net.to_sites(codes)
            cache, predict = net.append(sites[:1, :PAST], past), net.hidden_after
            arguments = (cache, sites[:, -1:], future, LATENTS - PAST - 1)
        elif case.family == "st_transformer":
            sites, added = net.to_sites(codes), net.action_tokens(actions)

            def predict(*arguments: Any) -> torch.Tensor:
                return net.step(*arguments)[0]

            arguments = (sites[:, PAST - 1 : PAST], added[:, PAST - 1 : PAST], net.observe(sites[:1, :PAST], past))
        else:
            cache, predict = net.prefill(codes[:1, :PAST], past), net.predict
            arguments = (cache, codes[:1, PAST:], torch.full((1,), 0.3), future)
        compiled = torch.compile(predict, fullgraph=True, dynamic=False, backend="eager")
        torch.testing.assert_close(compiled(*arguments), predict(*arguments), rtol=0, atol=1e-6)
