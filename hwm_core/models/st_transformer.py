"""ST-Transformer: next-grid prediction with attention over space and over time (arXiv 2510.07092, section 3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from hwm_core.models.conditioning import zeroed
from hwm_core.models.own_tokens import one_own_latent, scheduled
from hwm_core.models.st_config import STConfig
from hwm_core.models.token_network import KVCache, TokenNetwork
from hwm_core.models.vocabulary import Vocabulary
from hwm_core.nn.attention_spec import st_block
from hwm_core.nn.backbone import Backbone
from hwm_core.nn.embed import SpaceTimePosition
from hwm_core.nn.initialise import initialise
from hwm_core.nn.key_value import Cache
from hwm_core.nn.next_action import NextActionEncoder
from hwm_core.nn.reachability import cache_obstacle
from hwm_core.rng.batch_rows import uniform
from hwm_core.streams import Stream

Choose = Callable[[Tensor], Tensor]
"""Hidden states [S, 1, h, w, D] of a latent -> its tokens [S, 1, h, w, P]."""
Step = Callable[[Tensor, Tensor | None, KVCache | None], tuple[Tensor, KVCache]]
"""`STTransformer.step`."""


class STTransformer(TokenNetwork):
    """Predicts each latent from the latents before it, all tokens of a latent at once.

    Latent i is predicted at latent i - 1: its hidden states read the video of latents < i, and the actions of latents
    <= i.

    Parameters, with width d, L blocks, V codes, S sites, T inputs, F frames, A joints::

        block: 2 attentions (4 d^2 + d, and 2 * 64 of QK norm) + MLP (8 d^2 + 5 d) + 3 LayerNorms (2 d)
               = 16 d^2 + 13 d + 256                                           L = 24, d = 512:  100,829,184
        tokens, input and output: V d                                          V = 64,000:        32,768,000
        positions: (S + T) d                                                   S = 1024, T = 5:      526,848
        actions: A d + d, F d of positions, d^2 + d, 3 d^2 + d of Conv1d       A = 25, F = 41:     1,083,904
        final norm: 2 d                                                                                1,024
        sum                                                                                      135,208,960
    """

    config: STConfig

    def __init__(self, config: STConfig) -> None:
        super().__init__()
        self.config = config
        self.position = SpaceTimePosition(config.num_inputs, math.prod(config.sites), config.dim)
        factorised, codes = config.vocabulary == "factorised", config.patch**2
        embeddings = codes * (len(config.levels) if factorised else 1)
        self.vocabulary = Vocabulary(
            config.levels,
            config.dim,
            factorised=factorised,
            codes_per_site=codes,
            tied=True,
            masks=False,
            # With `fan_in`, tokens are of unit size at the input, and so are logits at the output, but for those of the
            # codes that are read: the model starts as a copy of the newest latent.
            scale=math.sqrt(config.dim / embeddings) if config.init == "fan_in" else 1.0,
        )
        self.action_encoder = NextActionEncoder(
            config.action_dim, config.num_latents, config.temporal_factor, config.dim
        )
        specs = [st_block(config.variant)] * config.depth
        self.cache_obstacle = cache_obstacle(specs, config.num_past_latents, config.num_latents)
        self.backbone = Backbone(
            specs,
            grid=config.sites,
            dim=config.dim,
            num_heads=config.num_heads,
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
            attention_dropout=config.dropout,
            residual_dropout=config.dropout,
        )
        self.final_norm = nn.LayerNorm(config.dim) if config.final_norm else nn.Identity()
        initialise(self, config.init, config.depth)
        self.vocabulary.reset_parameters(config.init)
        std = 0.02 if config.init == "normal" else 0.5
        self.position.reset_parameters(std)
        self.action_encoder.reset_parameters(std)

    def loss(self, codes: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the tokens of every latent but the first, each given the true latents before it.

        Args:
            codes: tokens [B, T, H, W].
            actions: [B, F, A] normalised.
            generator: draws the samples whose actions are dropped, and the tokens that are the model's own.
        """
        config, sites, past = self.config, self.to_sites(codes), self.config.num_past_latents
        drop_actions = uniform((len(codes),), generator) < config.action_dropout
        inputs, added = sites[:, :-1], self.action_tokens(actions, drop_actions)
        if config.scheduled_sampling:
            with torch.no_grad():
                own = self._likeliest(self.hidden(inputs, added))
            inputs = scheduled(inputs, own, past, config.scheduled_sampling, generator)
        hidden = self.hidden(inputs, added)
        loss, accuracy = self.vocabulary.cross_entropy(hidden.flatten(0, 3), sites[:, 1:].flatten(0, 3))
        if not config.rollout_weight:
            return loss, {"accuracy": accuracy}
        with torch.no_grad():
            own = self._likeliest(hidden)
        inputs, replaced = one_own_latent(sites[:, :-1], own, past, generator)
        rows = torch.arange(len(codes), device=codes.device)
        after = self.hidden(inputs, added)[rows, replaced]
        of_rollout, _ = self.vocabulary.cross_entropy(after.flatten(0, 2), sites[rows, replaced + 1].flatten(0, 2))
        metrics = {"accuracy": accuracy, "teacher_forced_loss": loss.detach(), "rollout_loss": of_rollout.detach()}
        return loss + config.rollout_weight * of_rollout, metrics

    def mean_prediction(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean latents [B, T_future, H, W, C], each given the likeliest tokens of the latents before it."""
        hidden = self._greedy_hidden(codes, actions)
        return self.to_grid(self.vocabulary.expected_latents(self.vocabulary.head(hidden)))

    def future_loss(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """Loss and accuracy of the future in greedy autoregression, as in use, and with teacher forcing.

        Teacher forcing reads the true latents before each latent. It bounds what autoregression can reach.
        """
        sites = self.to_sites(codes)
        truth = sites[:, self.config.num_past_latents :].flatten(0, 3)
        forced = self.hidden(sites[:, :-1], self.action_tokens(actions))[:, self.config.num_past_latents - 1 :]
        loss, accuracy = self.vocabulary.cross_entropy(self._greedy_hidden(codes, actions).flatten(0, 3), truth)
        forced_loss, forced_accuracy = self.vocabulary.cross_entropy(forced.flatten(0, 3), truth)
        return {
            "loss": loss,
            "accuracy": accuracy,
            "teacher_forced_loss": forced_loss,
            "teacher_forced_accuracy": forced_accuracy,
        }

    def forward(self, tokens: Tensor, actions: Tensor | None) -> Tensor:
        """Logits [B, T_future, h, w, V] of the future latents with teacher forcing.

        Args:
            tokens: [B, T, h, w, P] by site; the last latent is not read.
            actions: [B, F, A] normalised; None drops them.
        """
        hidden = self.hidden(tokens[:, :-1], self.action_tokens(actions))
        return self.vocabulary.head(hidden[:, self.config.num_past_latents - 1 :])

    def action_tokens(self, actions: Tensor | None, drop_actions: Tensor | None = None) -> Tensor | None:
        """What the actions [B, F, A] of T latents add to the first T - 1 of them, [B, T - 1, 1, D].

        `drop_actions` [B] bool: samples whose actions are dropped.
        """
        return None if actions is None else zeroed(self.action_encoder(actions), drop_actions)

    def hidden(self, tokens: Tensor, action_tokens: Tensor | None) -> Tensor:
        """Hidden states [B, n, h, w, D] at the first n latents, which predict latents 1 .. n; without a cache.

        Args:
            tokens: [B, n, h, w, P] by site.
            action_tokens: [B, n, 1, D] or None.
        """
        hidden, _ = self._blocks(tokens, action_tokens, Stream.FUTURE_VIDEO, None, keep=False)
        return self._normed(hidden)

    def observe(self, tokens: Tensor, actions: Tensor | None) -> KVCache | None:
        """Keys and values of the past but its newest latent, where the first future latent is predicted.

        They do not depend on future actions. None if there is no earlier latent.

        Args:
            tokens: [B, T_past, h, w, P] by site.
            actions: [B, F_past, A] normalised; None drops them.
        """
        if tokens.shape[1] == 1:
            return None
        _, new = self._blocks(tokens[:, :-1], self.action_tokens(actions), Stream.PAST_VIDEO, None, keep=True)
        return KVCache(new, tokens.shape[1] - 1)

    def step(self, tokens: Tensor, action_tokens: Tensor | None, cache: KVCache | None) -> tuple[Tensor, KVCache]:
        """Hidden states [S, 1, h, w, D] that predict the next latent, and the cache of all latents up to `tokens`.

        Args:
            tokens: [S, 1, h, w, P] by site, the newest latent.
            action_tokens: [S, 1, 1, D] or None.
            cache: of the latents before it, of one past for all samples or of S pasts.
        """
        hidden, new = self._blocks(tokens, action_tokens, Stream.FUTURE_VIDEO, cache, keep=True)
        if cache is None:
            return self._normed(hidden), KVCache(new, 1)
        return self._normed(hidden), KVCache(cache.cache.append(new), cache.num_latents + 1)

    def unroll(
        self,
        tokens: Tensor,
        actions: Tensor | None,
        cache: KVCache | None,
        latents: int,
        choose: Choose,
        step: Step | None = None,
    ) -> None:
        """Predict latents one by one; each reads the tokens that `choose` gave the latents before it.

        Args:
            tokens: [S, 1, h, w, P], the newest latent of the past.
            actions: [S, F, A] normalised, of the whole window; None drops them.
            cache: output of `observe`.
            latents: the number of latents to predict.
            choose: is called with the hidden states of each latent in turn.
            step: the model's, or a compiled version of it.
        """
        added, first = self.action_tokens(actions), self.config.num_past_latents - 1
        for latent in range(first, first + latents):
            own = None if added is None else added[:, latent : latent + 1]
            hidden, cache = (step or self.step)(tokens, own, cache)
            tokens = choose(hidden)

    def _greedy_hidden(self, codes: Tensor, actions: Tensor | None) -> Tensor:
        """Hidden states [B, T_future, h, w, D] of the future, each given the likeliest tokens of those before it."""
        past = self.config.num_past_latents
        sites = self.to_sites(codes[:, :past])
        found: list[Tensor] = []

        def choose(hidden: Tensor) -> Tensor:
            found.append(hidden)
            return self._likeliest(hidden)

        cache = self.observe(sites, None if actions is None else actions[:, : self.config.past_frames])
        self.unroll(sites[:, -1:], actions, cache, codes.shape[1] - past, choose)
        return torch.cat(found, dim=1)

    def _likeliest(self, hidden: Tensor) -> Tensor:
        """The likeliest tokens [B, n, h, w, P] under hidden states [B, n, h, w, D], one latent at a time."""
        latents = (self.vocabulary.likeliest(self.vocabulary.head(one)) for one in hidden.split(1, dim=1))
        return torch.cat(list(latents), dim=1)

    def _blocks(
        self, tokens: Tensor, action_tokens: Tensor | None, stream: Stream, cache: KVCache | None, *, keep: bool
    ) -> tuple[Tensor, Cache]:
        """Tokens [B, n, h, w, P] of the latents after `cache` through all blocks: [B, n, N, D], and their cache."""
        first = 0 if cache is None else cache.num_latents
        x = self.position(self.vocabulary.embed(tokens).flatten(2, 3), first)
        if action_tokens is not None:
            x = x + action_tokens
        index = {stream: torch.arange(first, first + tokens.shape[1], device=tokens.device)}
        out, new = self.backbone({stream: x}, index, None if cache is None else cache.cache, keep=keep)
        return out[stream], new

    def _normed(self, hidden: Tensor) -> Tensor:
        return self.final_norm(hidden).unflatten(2, self.config.sites)
