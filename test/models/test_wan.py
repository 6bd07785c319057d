"""Wan with robot states: equal to diffusers at the start, and conditioned as the report describes."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from wan_models import CHANNELS, FRAMES, LATENTS, PAST, SIZES, TRANSFORMER, clip, model

from benchmarks.wan.pipeline import untrained_transformer
from hwm_core.errors import BadConfig
from hwm_core.models.wan import WanWorldModel
from hwm_core.models.wan_config import WanConfig
from hwm_core.models.wan_memory import base_parameters, require_memory, trained_parameters, weight_bytes
from hwm_core.models.wan_schedule import noise_levels, shifted
from hwm_core.train.blocks import blocks_of, prepare_blocks
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_optimisers
from hwm_core.train.recipe import read_recipe
from hwm_core.world_model.registry import build_model


def predict(net: WanWorldModel, codes: torch.Tensor, actions: torch.Tensor | None, time: float = 500.0) -> torch.Tensor:
    with torch.no_grad():
        return net(codes[:, PAST:], torch.full((len(codes),), time), codes[:, :PAST], actions)


def stock(net: WanWorldModel) -> WanTransformer3DModel:
    """The transformer of diffusers, with the weights and precisions of the base of `net`."""
    made = untrained_transformer(CHANNELS, **TRANSFORMER)
    base = {name.replace(".base_layer", ""): value for name, value in net.transformer.state_dict().items()}
    made.load_state_dict({name: value for name, value in base.items() if ".lora_" not in name}, assign=True)
    return made


def predict_stock(transformer: WanTransformer3DModel, net: WanWorldModel, codes: torch.Tensor) -> torch.Tensor:
    """As `predict`, of diffusers alone: each of the 4 tokens of a latent has its timestep."""
    text, times = torch.zeros(1, 8, 32), torch.tensor([0.0, 0.0, 500.0, 500.0, 500.0, 500.0]).repeat_interleave(4)
    text[0, :1] = net.prompt
    dtype, batch = getattr(torch, net.config.base_dtype), len(codes)
    with torch.no_grad():
        velocity = transformer(
            codes.movedim(-1, 1).to(dtype),
            times.expand(batch, -1),
            text.to(dtype).expand(batch, -1, -1),
            return_dict=False,
        )[0]
    return velocity.movedim(1, -1)[:, PAST:]


@pytest.mark.parametrize("base_dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rank", [0, 4])
def test_at_the_start_the_output_is_bit_for_bit_that_of_diffusers_with_timesteps_per_token(
    rank: int, base_dtype: str
) -> None:
    net = model(random=False, lora_rank=rank, base_dtype=base_dtype)
    torch.nn.init.normal_(net.prompt)
    for batch in (1, 3):
        codes, actions = clip(batch)
        predicted, wanted = predict(net, codes, actions), predict_stock(stock(net), net, codes)
        assert predicted.dtype == wanted.dtype == getattr(torch, base_dtype)
        assert torch.equal(predicted, wanted)


def test_the_states_are_added_to_the_timesteps_of_diffusers_in_every_block_and_in_the_final_norm() -> None:
    net, (codes, actions) = model(lora_rank=0), clip(2)
    transformer, width = stock(net), net.config.dim
    embedder = transformer.condition_embedder
    of_timesteps = embedder.forward
    of_states = net.state_encoder(actions).detach().repeat_interleave(4, dim=1)  # by token

    def with_states(*inputs: Any, **options: Any) -> tuple[Any, ...]:
        final, of_blocks, *texts = of_timesteps(*inputs, **options)
        return final + of_states[..., 6 * width :], of_blocks + of_states[..., : 6 * width], *texts

    embedder.forward = with_states
    torch.testing.assert_close(predict(net, codes, actions), predict_stock(transformer, net, codes))


def test_each_part_of_the_modulation_by_the_states_alone_changes_the_prediction() -> None:
    net, (codes, actions) = model(), clip()
    here = predict(net, codes, actions)
    parts = net.state_encoder.modulation.bias.data.unflatten(0, (7, -1))  # 6 of the blocks, 1 of the final norm
    for number in range(7):
        parts[number] += 0.5
        assert not torch.allclose(predict(net, codes, actions), here, atol=1e-4), number
        parts[number] -= 0.5


def test_low_rank_updates_and_state_encoder_are_trained_and_nothing_else() -> None:
    net = model(random=False)
    trained = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert {name for name in trained if name.startswith("state_encoder")} == {
        f"state_encoder.{name}" for name, _ in net.state_encoder.named_parameters()
    }
    updates = {name for name in trained if name.startswith("transformer")}
    assert all(".lora_" in name for name in updates)
    assert len(updates) == 2 * 2 * 2 * 4  # A and B, of 4 matrices of 2 attentions of 2 blocks
    assert {name.split(".")[-4] for name in updates if "to_out" not in name} == {"to_q", "to_k", "to_v"}
    assert all(p.dtype == torch.float32 for p in net.parameters() if p.requires_grad)
    with_mlp = model(random=False, lora_targets=("to_q", "ffn.net.0.proj", "ffn.net.2"))
    assert any("ffn.net.2.lora_A" in name for name, _ in with_mlp.named_parameters())


def test_the_state_dict_has_only_what_is_trained_and_the_prompt() -> None:
    net, other = model(seed=0), model(seed=1)
    other.transformer.load_state_dict(net.transformer.state_dict())
    for parameter in other.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    state = net.state_dict()
    assert set(state) == {"prompt"} | {name for name, p in net.named_parameters() if p.requires_grad}
    codes, actions = clip()
    assert not torch.equal(predict(net, codes, actions), predict(other, codes, actions))
    other.load_state_dict(state)
    assert torch.equal(predict(net, codes, actions), predict(other, codes, actions))
    with pytest.raises(RuntimeError, match="state_encoder"):
        other.load_state_dict({name: value for name, value in state.items() if "compress" not in name})
    with pytest.raises(RuntimeError, match="size mismatch"):
        model(lora_rank=3).load_state_dict(state)
    inside = torch.nn.ModuleDict({"module": net})
    assert set(inside.state_dict()) == {f"module.{name}" for name in state}
    inside.load_state_dict(inside.state_dict())
    copied = copy.deepcopy(net)
    assert set(copied.state_dict()) == set(state) and copied.load_state_dict(state)


def test_states_past_and_noise_level_each_change_the_prediction() -> None:
    net = model()
    codes, actions = clip()
    here = predict(net, codes, actions)
    changed = codes.clone()
    changed[:, 0] += 1
    assert not torch.allclose(predict(net, changed, actions), here, atol=1e-4)
    assert not torch.allclose(predict(net, codes, actions, time=900.0), here, atol=1e-4)
    later = actions.clone()
    later[:, -1] += 1  # of the last latent; attention carries it to all latents
    assert not torch.allclose(predict(net, codes, later)[:, -1], here[:, -1], atol=1e-4)
    assert not torch.allclose(predict(net, codes, later)[:, 0], here[:, 0], atol=1e-6)
    dropped = net(codes[:, PAST:], torch.tensor([500.0]), codes[:, :PAST], actions, drop_actions=torch.tensor([True]))
    assert torch.equal(dropped, predict(net, codes, None))


@pytest.mark.parametrize("times", ["uniform", "logit_normal"])
def test_the_loss_is_that_of_the_velocity_at_shifted_noise_levels_and_states_are_dropped(times: str) -> None:
    net = model(times=times, shift=3.0, action_dropout=0.5, pure_noise_rate=0.25)
    (codes, actions), generator = clip(16), torch.Generator().manual_seed(3)
    data = codes[:, PAST:]
    noise = torch.randn(data.shape, generator=generator)
    if times == "uniform":
        level = 1 - torch.rand(16, generator=generator)
    else:
        level = torch.randn(16, generator=generator).sigmoid()
    pure_noise, dropped = (torch.rand(16, generator=generator) < rate for rate in (0.25, 0.5))
    assert 0 < pure_noise.sum() < 16 and 0 < dropped.sum() < 16
    level = torch.where(pure_noise, 1.0, 3 * level / (1 + 2 * level))
    errors = []
    for i, s in enumerate(level.tolist()):  # each sample on its own
        of_sample = slice(i, i + 1)
        noisy, states = (1 - s) * data[of_sample] + s * noise[of_sample], None if dropped[i] else actions[of_sample]
        velocity = net(noisy, torch.tensor([1000 * s]), codes[of_sample, :PAST], states)
        errors.append((velocity - (noise - data)[of_sample]).square().mean())
    loss, _ = net.loss(codes, actions, torch.Generator().manual_seed(3))
    torch.testing.assert_close(loss, torch.stack(errors).mean())


def test_the_mean_prediction_is_one_step_from_pure_noise_and_its_error_is_the_loss_there() -> None:
    net, (codes, actions) = model(pure_noise_rate=1.0), clip(4)
    noise = torch.randn(codes[:, PAST:].shape, generator=torch.Generator().manual_seed(3))
    velocity = net(noise, torch.full((4,), 1000.0), codes[:, :PAST], actions)
    expected = (velocity - (noise - codes[:, PAST:])).square().mean()
    torch.testing.assert_close(net.loss(codes, actions, torch.Generator().manual_seed(3))[0], expected)
    mean = net.mean_prediction(codes, actions, torch.Generator().manual_seed(3))
    torch.testing.assert_close(mean, noise - velocity)
    future = net.future_loss(codes, actions, torch.Generator().manual_seed(3))["loss"]
    torch.testing.assert_close(future, expected)


def test_recomputed_blocks_give_the_same_gradient() -> None:
    gradients = []
    for recomputed in (False, True):
        net = model()
        assert len(blocks_of(net)) == 2
        prepare_blocks(net, TrainingConfig(steps=1, activation_checkpointing=recomputed))
        net.loss(*clip(2), torch.Generator().manual_seed(0))[0].backward()
        gradients.append([p.grad for p in net.parameters() if p.requires_grad])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert all(gradient.any() for gradient in gradients[0])
    of_parts = net.state_encoder.modulation.weight.grad.unflatten(0, (7, -1))  # 6 of the blocks, 1 of the final norm
    assert of_parts.flatten(1).any(1).all()


def test_every_weight_of_the_state_encoder_receives_a_gradient_after_the_updates_were_added() -> None:
    net = model()
    net.loss(*clip(2), torch.Generator().manual_seed(0))[0].backward()
    for name, parameter in net.state_encoder.named_parameters():
        assert parameter.requires_grad and parameter.grad is not None and parameter.grad.any(), name


def test_a_base_in_bfloat16_predicts_nearly_the_same_and_trains_float32_weights() -> None:
    net, clipped = model(), clip(2)
    half = model(base_dtype="bfloat16")
    assert half.transformer.patch_embedding.weight.dtype == torch.bfloat16
    wanted = predict(net, *clipped)
    for enabled in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            error = (predict(half, *clipped).float() - wanted).square().mean() / wanted.square().mean()
            loss, _ = half.loss(*clipped, torch.Generator().manual_seed(0))
        assert error < 1e-2
        loss.backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in half.parameters() if p.requires_grad)


def test_the_optimiser_has_no_state_of_frozen_weights() -> None:
    net = model()
    (adamw,) = build_optimisers(net, TrainingConfig(steps=1, decayed="matrices", weight_decay=0.01))
    optimised = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert optimised == {id(p) for p in net.parameters() if p.requires_grad}


def test_arithmetic_counts_the_parameters_of_any_size() -> None:
    for changes in ({}, {"lora_targets": ("to_v", "ffn.net.2"), "plain_states": (0, 2), "state_dim": 8}):
        net = model(**changes)
        of_base = sum(p.numel() for p in net.parameters() if not p.requires_grad)
        trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
        assert (base_parameters(net.config), trained_parameters(net.config)) == (of_base, trained)
        assert weight_bytes(net.config) == 4 * (of_base + trained)
    real = WanConfig()
    assert base_parameters(real) == 4_999_787_712
    assert trained_parameters(real) == 47_185_920 + 6_043_904
    assert weight_bytes(real) == 2 * 4_999_787_712 + 4 * (47_185_920 + 6_043_904)


def test_the_preset_has_the_counts_that_the_documentation_states() -> None:
    config = WanConfig.parse(read_recipe("wan").model)
    assert trained_parameters(config) == 47_185_920 + 6_039_808 == 53_225_728
    assert base_parameters(config) + trained_parameters(config) == 5_053_013_440
    text = (Path(__file__).parents[2] / "docs/models.md").read_text()
    assert all(f"{count:,}" in text for count in (6_039_808, 53_225_728, 5_053_013_440))


def test_too_little_memory_is_an_error_that_tells_what_is_needed() -> None:
    with pytest.raises(BadConfig, match=r"expected 1.1e\+06 GB free for this test"):
        require_memory(10**15, "cpu", "this test")
    require_memory(1, "cpu", "this test")


def test_noise_levels_fall_from_noise_to_data_and_the_shift_moves_them_towards_noise() -> None:
    levels = noise_levels(4, 5.0)
    assert levels[0] == 1 and levels[-1] == 0 and levels == sorted(levels, reverse=True)
    assert shifted(0.5, 5.0) == pytest.approx(2.5 / 3) and shifted(0.3, 1.0) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 5}, "an even number"),
        ({"temporal_factor": 3}, "power of 2"),
        ({"plain_states": (3,)}, "indices from 0"),
        ({"prompt_tokens": 9}, "at most `text_length`"),
        ({"lora_targets": ("to_q", "to_p")}, r"lora_targets: expected ends of the names attn1.to_k, .*, got to_p\."),
    ],
)
def test_impossible_sizes_are_rejected(change: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        build_model("wan", {**SIZES, **change})


def test_the_geometry_is_that_of_the_challenge() -> None:
    config = WanConfig()
    assert (config.past_frames, config.future_frames, config.num_latents) == (5, 16, 6)
    assert config.num_latents * config.sites[0] * config.sites[1] == 1536  # tokens at 512 px
    assert (config.past_frames + config.future_frames, config.num_latents) == (FRAMES, LATENTS)
