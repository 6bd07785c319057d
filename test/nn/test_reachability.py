"""The attention of the masked family, stated in words; test_eight_models.py compares the networks with the table."""

import pytest
import torch
from masked_models import FACTOR, LATENTS, PAST, VARIANTS, clip, model

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.nn.attention_spec import masked_block
from hwm_core.nn.reachability import cache_obstacle, live_streams
from hwm_core.streams import Stream


def changed(
    net: MaskedWorldModel, tokens: torch.Tensor, actions: torch.Tensor, other: tuple[torch.Tensor, torch.Tensor]
) -> list[bool]:
    """Which future latents' logits differ between two inputs."""
    with torch.no_grad():
        return (net(tokens, actions) != net(*other)).flatten(2).any(-1)[0].tolist()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_future_action_changes_its_own_latent_and_every_later_one_but_no_earlier_one(variant: str) -> None:
    net, (tokens, actions) = model(variant), clip()
    masked = torch.full_like(tokens, net.vocabulary.mask_token)
    masked[:, :PAST] = tokens[:, :PAST]
    for frame in range(1 + (PAST - 1) * FACTOR, actions.shape[1]):
        own = 1 + (frame - 1) // FACTOR
        other = actions.clone()
        other[:, frame] += 1.0
        assert changed(net, masked, actions, (masked, other)) == [i >= own for i in range(PAST, LATENTS)]


def test_the_past_can_be_cached_only_with_time_aligned_attention() -> None:
    for variant in VARIANTS:
        assert cache_obstacle([masked_block(variant, "time_aligned")] * 4, PAST, LATENTS) is None
        reason = cache_obstacle([masked_block(variant, "bidirectional")] * 4, PAST, LATENTS)
        assert reason == "past_video of latent 0 depends on past_video of latent 1"


def test_the_last_block_updates_only_what_the_future_video_needs() -> None:
    specs = [masked_block("base", "time_aligned")] * 2
    before_last, last = live_streams(specs, Stream.FUTURE_VIDEO)
    assert last[-1] == {Stream.FUTURE_VIDEO} and last[1] == {Stream.FUTURE_VIDEO}
    assert last[0] == {Stream.PAST_VIDEO, Stream.FUTURE_VIDEO}, "joint attention still attends to the past video"
    assert before_last[-1] == set(Stream), "the block before must update every stream"
