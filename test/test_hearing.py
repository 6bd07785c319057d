"""Who hears whom in the masked family, in words; test_eight_models.py holds it against the table."""

import pytest
import torch

from hwm_core.models.masked import MaskedConfig, MaskedWorldModel
from hwm_core.nn.hearing import cache_obstacle, live_streams
from hwm_core.nn.rows import MASKED_VARIANTS, masked_row
from hwm_core.streams import Stream

PAST, LATENTS, FACTOR = 2, 5, 4
VARIANTS = sorted(MASKED_VARIANTS)


def model(variant: str, mask: str = "time_aligned", seed: int = 0, **changes: object) -> MaskedWorldModel:
    """A small model with every parameter redrawn: fresh initialisations hide what a stream hears."""
    config = MaskedConfig(
        variant=variant,
        mask=mask,
        unshared_depth=1,
        dim=32,
        depth=3,
        num_heads=2,
        dropout=0.0,
        levels=(5, 4),
        grid=(2, 3),
        temporal_factor=FACTOR,
        num_past_latents=PAST,
        num_future_latents=LATENTS - PAST,
        action_dim=3,
    )
    net = MaskedWorldModel(config.model_copy(update=changes)).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return net


def clip(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens by site [1, T, h, w, 1] and actions [1, F, A]."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(20, (1, LATENTS, 2, 3, 1), generator=generator)
    return tokens, torch.randn(1, 1 + (LATENTS - 1) * FACTOR, 3, generator=generator)


def changed(
    net: MaskedWorldModel, tokens: torch.Tensor, actions: torch.Tensor, other: tuple[torch.Tensor, torch.Tensor]
) -> list[bool]:
    """Which future latents' logits differ at all between two inputs."""
    with torch.no_grad():
        return (net(tokens, actions) != net(*other)).flatten(2).any(-1)[0].tolist()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_future_action_changes_its_own_latent_and_every_later_one_and_no_earlier_one(variant: str) -> None:
    net, (tokens, actions) = model(variant), clip()
    masked = torch.full_like(tokens, net.vocabulary.mask_token)
    masked[:, :PAST] = tokens[:, :PAST]
    for frame in range(1 + (PAST - 1) * FACTOR, actions.shape[1]):
        own = 1 + (frame - 1) // FACTOR
        other = actions.clone()
        other[:, frame] += 1.0
        assert changed(net, masked, actions, (masked, other)) == [i >= own for i in range(PAST, LATENTS)]


def test_only_time_aligned_rows_let_the_past_be_cached() -> None:
    for variant in VARIANTS:
        assert cache_obstacle([masked_row(variant, "time_aligned")] * 4, PAST, LATENTS) is None
        reason = cache_obstacle([masked_row(variant, "bidirectional")] * 4, PAST, LATENTS)
        assert reason == "past_video of latent 0 hears past_video of latent 1"


def test_the_last_block_updates_only_what_the_future_video_needs() -> None:
    rows = [masked_row("base", "time_aligned")] * 2
    before_last, last = live_streams(rows, Stream.FUTURE_VIDEO)
    assert last[-1] == {Stream.FUTURE_VIDEO} and last[1] == {Stream.FUTURE_VIDEO}
    assert last[0] == {Stream.PAST_VIDEO, Stream.FUTURE_VIDEO}, "joint attention still hears the past video"
    assert before_last[-1] == set(Stream), "and the block before must finish every stream"
