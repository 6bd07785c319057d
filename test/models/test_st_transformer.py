"""The ST-Transformer: next-grid loss, tied embeddings, learned positions, dropout."""

import math
from copy import deepcopy

import pytest
import torch
from st_models import LATENTS, PAST, clip, model

from hwm_core.errors import BadConfig
from hwm_core.models.own_tokens import scheduled
from hwm_core.models.st_config import STConfig
from hwm_core.models.st_transformer import STTransformer
from hwm_core.nn.attention_spec import st_block
from hwm_core.nn.backbone import Backbone
from hwm_core.rng.batch_rows import RowGenerator
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.st_predictor import STPredictor
from hwm_core.streams import Stream

VOCABULARIES = pytest.mark.parametrize("vocabulary", ["flat", "factorised"])


def greedy(net: STTransformer, codes: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """The likeliest tokens of the future, latent after latent."""
    predictor, now = STPredictor(net), net.config.past_frames
    past = predictor.observe(codes[:, : net.config.num_past_latents], actions[:, :now])
    generator = CandidateGenerator(0, torch.device("cpu"))
    return predictor.predict(
        past,
        actions[:, now:],
        candidates=len(codes),
        num_latents=net.config.num_future_latents,
        sampling=Sampling(),
        generator=generator,
    ).tokens


@VOCABULARIES
def test_the_loss_is_the_mean_cross_entropy_of_every_latent_but_the_first_given_the_true_ones(vocabulary: str) -> None:
    net = model(vocabulary=vocabulary, action_dropout=0.0)
    codes, actions = clip(net, batch=2)
    with torch.no_grad():
        loss, _ = net.loss(codes, actions, torch.Generator())
        sites = net.to_sites(codes)
        logits = net.vocabulary.head(net.hidden(sites[:, :-1], net.action_tokens(actions)))
        expected = -net.vocabulary.log_prob(logits, sites[:, 1:]).mean()
    assert logits.shape[1] == LATENTS - 1
    torch.testing.assert_close(loss, expected)


@VOCABULARIES
@pytest.mark.parametrize("past", [1, PAST])
def test_teacher_forced_and_autoregressive_losses_are_equal_for_one_future_latent(vocabulary: str, past: int) -> None:
    net = model(vocabulary=vocabulary, num_past_latents=past, num_future_latents=1)
    with torch.no_grad():
        of = net.future_loss(*clip(net, batch=3), torch.Generator())
    torch.testing.assert_close(of["loss"], of["teacher_forced_loss"])


def test_the_loss_of_fewer_future_latents_is_that_of_the_first_of_them() -> None:
    net = model()
    codes, actions = clip(net, batch=2)
    fewer = net.config.past_frames + net.config.temporal_factor
    with torch.no_grad():
        of = net.future_loss(codes[:, : PAST + 1], actions[:, :fewer], torch.Generator())
        logits = net(net.to_sites(codes), actions)[:, :1]
        expected = -net.vocabulary.log_prob(logits, net.to_sites(codes[:, PAST : PAST + 1])).mean()
    torch.testing.assert_close(of["loss"], expected)
    torch.testing.assert_close(of["teacher_forced_loss"], expected)


@VOCABULARIES
def test_the_two_losses_are_equal_if_the_truth_is_what_the_model_predicts_and_differ_otherwise(vocabulary: str) -> None:
    net = model(vocabulary=vocabulary)
    codes, actions = clip(net, batch=2)
    with torch.no_grad():
        other = net.future_loss(codes, actions, torch.Generator())
        codes[:, PAST:] = greedy(net, codes, actions)
        of = net.future_loss(codes, actions, torch.Generator())
    torch.testing.assert_close(of["loss"], of["teacher_forced_loss"])
    assert of["accuracy"] == 1 and other["accuracy"] < 1
    assert abs(other["loss"] - other["teacher_forced_loss"]) > 1e-4


def test_scheduled_sampling_replaces_tokens_of_the_future_at_most_at_its_rate_by_the_models_own() -> None:
    inputs, own = torch.zeros(300, 4, 4, 4, 1), torch.arange(1, 5).expand(300, 4).view(300, 4, 1, 1, 1)
    own = own.expand(-1, -1, 4, 4, -1).float()  # the tokens of latent i are i
    mixed = scheduled(inputs, own, PAST, 0.5, torch.Generator().manual_seed(0))
    assert not mixed[:, :PAST].any()
    for latent in range(PAST, 4):
        assert set(mixed[:, latent].unique().tolist()) == {0, latent}
    share = (mixed[:, PAST:] > 0).float().mean((1, 2, 3, 4))
    # u ~ U(0,1): the mean rate is 0.25 (standard error over 300 samples 0.01); 32 tokens at rate 0.5 stay below 0.9.
    assert abs(float(share.mean()) - 0.25) < 0.05 and share.max() < 0.9


@VOCABULARIES
def test_the_rollout_loss_is_that_of_the_latent_after_the_models_own_one(vocabulary: str) -> None:
    net = model(vocabulary=vocabulary, num_future_latents=2, action_dropout=0.0, rollout_weight=2.0)
    codes, actions = clip(net, batch=3)
    with torch.no_grad():
        total, of = net.loss(codes, actions, torch.Generator())
        own = codes.clone()
        own[:, PAST] = greedy(net, codes, actions)[:, 0]
        second = net(net.to_sites(own), actions)[:, 1]
        expected = -net.vocabulary.log_prob(second, net.to_sites(codes[:, PAST + 1])).mean()
    torch.testing.assert_close(of["rollout_loss"], expected)
    torch.testing.assert_close(total, of["teacher_forced_loss"] + 2.0 * expected)


@pytest.mark.parametrize("options", [{"scheduled_sampling": 1.0}, {"rollout_weight": 1.0}], ids=str)
def test_options_of_the_loss_change_nothing_about_a_truth_that_the_model_predicts_itself(options: dict) -> None:
    plain, net = model(action_dropout=0.0), model(action_dropout=0.0, **options)
    codes, actions = clip(net, batch=2)
    other, _ = net.loss(codes, actions, torch.Generator().manual_seed(0))
    assert abs(other - plain.loss(codes, actions, torch.Generator())[0]) > 1e-4
    codes[:, PAST:] = greedy(net, codes, actions)
    loss, of = net.loss(codes, actions, torch.Generator().manual_seed(0))
    torch.testing.assert_close(of.get("teacher_forced_loss", loss), plain.loss(codes, actions, torch.Generator())[0])


@pytest.mark.parametrize("options", [{}, {"scheduled_sampling": 0.9}, {"rollout_weight": 1.0}], ids=str)
def test_the_loss_of_a_batch_is_the_mean_over_its_parts(options: dict) -> None:
    net = model(action_dropout=0.5, **options)
    codes, actions = clip(net, batch=4)
    with torch.no_grad():
        whole, halves = (
            [
                net.loss(codes[i : i + n], actions[i : i + n], RowGenerator().seed_rows(7, i, 4))[0]
                for i in range(0, 4, n)
            ]
            for n in (4, 2)
        )
    torch.testing.assert_close(torch.stack(halves).mean(), whole[0])


@pytest.mark.parametrize("options", [{"scheduled_sampling": 0.5}, {"rollout_weight": 0.5}], ids=str)
def test_options_of_the_loss_need_two_future_latents(options: dict) -> None:
    with pytest.raises(BadConfig, match="`num_future_latents` above 1"):
        model(num_future_latents=1, **options)


@pytest.mark.parametrize(("key", "value"), [("num_heads", 3), ("attention", "bidirectional"), ("variant", "split")])
def test_values_that_the_family_does_not_have_are_rejected(key: str, value: object) -> None:
    with pytest.raises(BadConfig, match=key):
        model(**{key: value})


def test_a_latent_is_predicted_from_its_own_actions_and_from_no_later_ones() -> None:
    net = model()
    codes, actions = clip(net)
    own = net.config.past_frames  # the first future frame, of latent PAST
    with torch.no_grad():
        before = net(net.to_sites(codes), actions)
        for latent in range(PAST, LATENTS):
            other = actions.clone()
            first = own + (latent - PAST) * net.config.temporal_factor
            other[:, first : first + net.config.temporal_factor] += 1.0
            changed = (net(net.to_sites(codes), other) != before).flatten(2).any(-1)[0].tolist()
            assert changed == [index >= latent for index in range(PAST, LATENTS)]


def test_dropped_actions_have_no_effect() -> None:
    net = model()
    codes, actions = clip(net)
    sites, dropped = net.to_sites(codes)[:, :-1], torch.tensor([True])
    with torch.no_grad():
        without = net.hidden(sites, None)
        assert torch.equal(net.hidden(sites, net.action_tokens(actions, dropped)), without)
        assert not torch.equal(net.hidden(sites, net.action_tokens(actions)), without)


@VOCABULARIES
def test_embeddings_and_output_matrix_are_one_in_the_model_its_copies_and_its_file(vocabulary: str) -> None:
    net = model(vocabulary=vocabulary)
    assert [name for name in net.state_dict() if name.startswith("vocabulary")] == ["vocabulary.embedding.weight"]
    copy, hidden = deepcopy(net), torch.ones(1, net.config.dim)
    before = copy.vocabulary.head(hidden)
    torch.nn.init.zeros_(net.vocabulary.embedding.weight)
    assert torch.equal(copy.vocabulary.head(hidden), before) and not net.vocabulary.head(hidden).any()
    copy.load_state_dict(net.state_dict())
    assert not copy.vocabulary.head(hidden).any()


def test_positions_are_only_what_is_added_to_the_tokens() -> None:
    net, order = model(patch=1, grid=(2, 3)), torch.tensor([3, 0, 5, 1, 4, 2])
    codes, actions = clip(net)
    shuffled = codes.flatten(2)[..., order].unflatten(2, (2, 3))

    def difference() -> float:
        with torch.no_grad():
            one, other = net(net.to_sites(codes), actions), net(net.to_sites(shuffled), actions)
        return float((one.flatten(2, 3)[:, :, order] - other.flatten(2, 3)).abs().max())

    assert difference() > 1e-2
    torch.nn.init.zeros_(net.position.space)
    assert difference() < 1e-5


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout", "residual_dropout"])
def test_each_kind_of_dropout_is_applied_in_training_alone(kind: str) -> None:
    torch.manual_seed(0)
    rates = {"dropout": 0.0, kind: 0.5}
    backbone = Backbone([st_block("base")], grid=(2, 3), dim=16, num_heads=2, mlp_ratio=2.0, **rates)
    x, index = {Stream.FUTURE_VIDEO: torch.randn(2, 3, 6, 16)}, {Stream.FUTURE_VIDEO: torch.arange(3)}
    for training in (True, False):
        backbone.train(training)
        one, two = (backbone(x, index)[0][Stream.FUTURE_VIDEO] for _ in range(2))
        assert torch.equal(one, two) is not training


@VOCABULARIES
@pytest.mark.parametrize("init", ["normal", "fan_in"])
def test_the_loss_of_a_still_scene_starts_at_most_at_that_of_a_uniform_distribution(vocabulary: str, init: str) -> None:
    torch.manual_seed(0)
    size = {"dim": 128, "depth": 2, "num_heads": 2, "levels": (8, 8, 5), "grid": (4, 4), "action_dim": 3}
    net = STTransformer(STConfig.parse({**size, "vocabulary": vocabulary, "init": init})).eval()
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(320, (2, 1, 4, 4), generator=generator).expand(-1, 6, -1, -1)
    with torch.no_grad():
        loss, of = net.loss(codes, torch.randn(2, 41, 3, generator=generator), generator)
    assert loss < math.log(320) + 0.01
    # Tied weights of unit size copy the newest latent from the start.
    assert init == "normal" or of["accuracy"] > 0.9
