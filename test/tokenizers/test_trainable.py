"""The trainable tokenizers, discrete and continuous, and the patch tokenizer of the tests."""

import pytest
import torch

from hwm_core.errors import BadConfig, BadInput
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer, fsq
from hwm_core.tokenizers.causal import CausalTokenizerConfig, CausalVideoTokenizer
from hwm_core.tokenizers.continuous import ContinuousTokenizerConfig, ContinuousVideoTokenizer
from hwm_core.tokenizers.patch import PatchTokenizer, PatchTokenizerConfig

SMALL = {"spatial_factor": 4, "width": 32, "encoder_blocks": 2, "decoder_blocks": 2}
MADE = {
    "discrete": lambda: CausalVideoTokenizer(CausalTokenizerConfig(levels=(8, 5, 5), **SMALL)),
    "variational": lambda: ContinuousVideoTokenizer(ContinuousTokenizerConfig(latent_channels=3, **SMALL)),
    "deterministic": lambda: ContinuousVideoTokenizer(
        ContinuousTokenizerConfig(latent_channels=3, kl_weight=0, **SMALL)
    ),
}


@pytest.fixture(params=MADE)
def tokenizer(request):
    """A small tokenizer with random parameters; with its initial weights no block uses the previous latent."""
    torch.manual_seed(0)
    made = MADE[request.param]()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def clip(frames: int, size: int = 16, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, frames, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "made", [CausalVideoTokenizer(CausalTokenizerConfig(width=16)), PatchTokenizer(PatchTokenizerConfig())]
)
def test_a_discrete_tokenizer_has_a_level_for_each_channel(made):
    assert isinstance(made, VideoTokenizer) and made.codes == "discrete"
    assert fsq.codebook_size(made.levels) > 1 and len(made.levels) == made.latent_channels


def test_a_continuous_tokenizer_has_no_levels():
    made = ContinuousVideoTokenizer(ContinuousTokenizerConfig(width=16))
    assert isinstance(made, VideoTokenizer) and made.codes == "continuous"
    assert made.levels == ()


@pytest.mark.parametrize("temporal_factor", [1, 4, 8])
@pytest.mark.parametrize("spatial_factor", [4, 8])
def test_a_clip_of_one_frame_and_k_groups_has_one_plus_k_latents(temporal_factor, spatial_factor):
    made = CausalVideoTokenizer(
        CausalTokenizerConfig(
            temporal_factor=temporal_factor, spatial_factor=spatial_factor, width=16, encoder_blocks=1, decoder_blocks=1
        )
    )
    frames = clip(1 + 2 * temporal_factor)
    tokens = made.encode(frames)
    assert tokens.shape == (2, 3, 16 // spatial_factor, 16 // spatial_factor)
    assert tokens.min() >= 0 and tokens.max() < fsq.codebook_size(made.levels) == 64000
    assert made.decode(tokens).shape == frames.shape
    assert made.embed(tokens).shape == (*tokens.shape, made.latent_channels)


@pytest.mark.parametrize("spatial_factor", [4, 8, 16])
def test_continuous_latents_have_the_grid_of_tokens(spatial_factor):
    made = ContinuousVideoTokenizer(ContinuousTokenizerConfig(spatial_factor=spatial_factor, width=16))
    codes = made.encode(clip(17))
    assert codes.shape == (2, 3, 16 // spatial_factor, 16 // spatial_factor, 16) and codes.dtype == torch.float32
    assert made.decode(codes).shape == (2, 17, 3, 16, 16)


def test_measured_statistics_normalise_codes_and_do_not_change_decoded_frames():
    made = MADE["variational"]()
    frames = clip(25)
    before = made.decode(made.encode(frames))
    made.fit_statistics([frames[:1], frames[1:]])
    codes = made.encode(frames).flatten(0, -2)
    torch.testing.assert_close(codes.mean(0), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(codes.std(0), torch.ones(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(made.decode(made.encode(frames)), before, rtol=0, atol=1e-5)
    assert {"latent_mean", "latent_std"} <= made.state_dict().keys()


def test_the_kl_divergence_is_zero_for_the_prior_and_samples_come_from_the_generator():
    made = MADE["variational"]()
    torch.nn.init.zeros_(made.to_latents[-1].weight)
    torch.nn.init.zeros_(made.to_latents[-1].bias)  # mean 0 and log-variance 0 everywhere
    losses = [made.loss(clip(9), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert losses[0][1]["kl"] == 0.0
    assert torch.equal(losses[0][0], losses[1][0]) and not torch.equal(losses[0][0], losses[2][0])


def test_later_frames_do_not_change_earlier_latents(tokenizer):
    frames = clip(25)
    changed = frames.clone()
    changed[:, 9:] = 1.0 - changed[:, 9:]
    before, after = tokenizer.encoded(frames), tokenizer.encoded(changed)
    assert torch.equal(before[:, :2], after[:, :2])  # frames 0..8 are latents 0 and 1
    assert not torch.equal(before[:, 2], after[:, 2])


def test_each_block_extends_the_effect_of_a_frame_by_one_latent(tokenizer):
    frames = clip(25)
    changed = frames.clone()
    changed[:, 0] = 1.0 - changed[:, 0]
    differs = (tokenizer.encoded(frames) != tokenizer.encoded(changed)).flatten(2).any(-1)
    assert differs.tolist() == [[True, True, True, False]] * 2  # two blocks: latents 0, 1 and 2


def test_the_encoding_of_a_prefix_is_the_prefix_of_the_encoding(tokenizer):
    frames = clip(25)
    codes = tokenizer.encode(frames)
    for latents in (1, 2, 3):
        # Continuous codes are not bit-equal: a convolution over another number of images sums in another order.
        prefix = tokenizer.encode(frames[:, : 1 + 8 * (latents - 1)])
        torch.testing.assert_close(prefix, codes[:, :latents], rtol=0, atol=1e-4 if codes.is_floating_point() else 0)


def test_the_decoding_of_a_prefix_is_the_prefix_of_the_decoding(tokenizer):
    tokens = tokenizer.encode(clip(25))
    frames = tokenizer.decode(tokens)
    # Not bit-equal: a convolution over another number of images may sum in another order.
    torch.testing.assert_close(tokenizer.decode(tokens[:, :2]), frames[:, :9], rtol=0, atol=1e-6)


def test_clips_of_one_batch_are_independent(tokenizer):
    frames = clip(9)
    changed = frames.clone()
    changed[1] = 0.5
    assert torch.equal(tokenizer.encoded(frames)[0], tokenizer.encoded(changed)[0])


def test_decoding_embedded_tokens_equals_decoding_tokens(tokenizer):
    tokens = tokenizer.encode(clip(9))
    assert torch.equal(tokenizer.decode_latents(tokenizer.embed(tokens)), tokenizer.decode(tokens))


@pytest.mark.parametrize("tokenizer", ["discrete", "deterministic"], indirect=True)
def test_the_loss_is_computed_from_the_quantised_codes(tokenizer):
    frames = clip(9)
    _, metrics = tokenizer.loss(frames)
    reconstruction = tokenizer.reconstruct(tokenizer.embed(tokenizer.encode(frames)))
    torch.testing.assert_close(metrics["mse"], (reconstruction - frames).square().mean())


@pytest.mark.parametrize("kind", ["causal", "continuous"])
def test_the_gradient_of_log_mse_equals_that_of_mse_at_30_db_and_is_larger_for_better_frames(kind):
    frames = clip(17, batch=1)
    gradients = {}
    for loss in ("mse", "log_mse"):
        made = build_tokenizer({"kind": kind, "spatial_factor": 4, "width": 16, "loss": loss})
        # Frame f is off by 0.01 (40 dB) where f is even and by 0.0316 (30 dB) where it is odd.
        error = torch.where(torch.arange(17) % 2 == 0, 0.01, 1e-3**0.5).view(1, 17, 1, 1, 1).expand_as(frames)
        decoded = (frames + error).requires_grad_()
        made.reconstruct = lambda latents, decoded=decoded: decoded
        made.reconstruction_loss(frames, frames)[0].backward()
        l1 = 0.1 / frames.numel()
        gradients[loss] = (decoded.grad - l1).mean((0, 2, 3, 4)) / error[0, :, 0, 0, 0]
    ratio = gradients["log_mse"] / gradients["mse"]
    # 1e-3 / (mse + 1e-4): 0.909 at an MSE of 1e-3, 5 at 1e-4.
    torch.testing.assert_close(ratio[1::2], torch.full((8,), 1e-3 / 1.1e-3), rtol=1e-2, atol=0)
    torch.testing.assert_close(ratio[0::2], torch.full((9,), 1e-3 / 2e-4), rtol=1e-2, atol=0)


@pytest.mark.parametrize("kind", ["causal", "continuous"])
def test_a_few_steps_lower_the_loss(kind):
    torch.manual_seed(0)
    made = build_tokenizer({"kind": kind, "spatial_factor": 4, "width": 16, "encoder_blocks": 1, "decoder_blocks": 1})
    optimizer = torch.optim.AdamW(made.parameters(), 1e-2)
    frames = clip(9, batch=1).mean((-1, -2), keepdim=True).expand(1, 9, 3, 16, 16)
    losses = []
    for _ in range(30):
        loss, _ = made.loss(frames)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("frames", [0, 8, 10])
def test_a_clip_that_is_not_one_plus_8k_frames_is_rejected(tokenizer, frames):
    with pytest.raises(BadInput, match=r"1 \+ k \* 8 frames, got"):
        tokenizer.encode(clip(frames))


def test_a_frame_size_that_is_no_multiple_of_the_factor_is_rejected(tokenizer):
    with pytest.raises(BadInput, match="multiples of 4, got 18x18"):
        tokenizer.encode(clip(9, size=18))


@pytest.mark.parametrize("temporal_factor", [1, 2, 8])
def test_the_patch_tokenizer_is_exact_on_patches_of_quantised_colours(temporal_factor):
    made = PatchTokenizer(PatchTokenizerConfig(temporal_factor=temporal_factor, spatial_factor=4, colours=2))
    generator = torch.Generator().manual_seed(0)
    patches = torch.randint(0, 2, (2, 1 + 2 * temporal_factor, 3, 4, 4), generator=generator).float()
    frames = patches.repeat_interleave(4, -1).repeat_interleave(4, -2)
    tokens = made.encode(frames)
    assert tokens.shape == (2, 3, 4, 4) and tokens.max() < fsq.codebook_size(made.levels)
    assert torch.equal(made.decode(tokens), frames)
    assert torch.equal(made.encode(made.decode(tokens)), tokens)


def test_a_tokenizer_can_be_built_again_from_its_plain_configuration(tokenizer):
    assert build_tokenizer(tokenizer.config.plain()).config == tokenizer.config


def test_an_unknown_kind_of_tokenizer_is_rejected_with_a_suggestion():
    with pytest.raises(BadConfig, match="Did you mean `causal`"):
        build_tokenizer({"kind": "casual"})


def test_an_unknown_key_of_a_tokenizer_is_rejected_with_a_suggestion():
    with pytest.raises(BadConfig, match="Did you mean `width`"):
        build_tokenizer({"kind": "causal", "widht": 64})
