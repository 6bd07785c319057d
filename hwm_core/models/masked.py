"""Masked-HWM: a masked transformer over video tokens and actions (paper sections 2.2 and 2.4)."""

import math

import torch
from torch import Tensor, nn

from hwm_core.models.conditioning import zeroed
from hwm_core.models.corruption import corrupt, future_mask
from hwm_core.models.masked_config import MaskedConfig
from hwm_core.models.token_network import KVCache, TokenNetwork
from hwm_core.models.vocabulary import Vocabulary
from hwm_core.nn.action_tokens import ActionTokens
from hwm_core.nn.attention_spec import masked_block
from hwm_core.nn.backbone import Backbone, reject_cache
from hwm_core.nn.embed import ActionEncoder, PositionEmbedding
from hwm_core.nn.initialise import initialise
from hwm_core.nn.key_value import Cache
from hwm_core.nn.reachability import cache_obstacle
from hwm_core.rng.batch_rows import own_rows, uniform
from hwm_core.streams import Stream


class MaskedWorldModel(TokenNetwork):
    """Predicts the tokens of masked future latents from past tokens and past and future actions."""

    config: MaskedConfig

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config
        self.position_embed = PositionEmbedding(config.num_latents, math.prod(config.sites), config.dim)
        self.vocabulary = Vocabulary(
            config.levels, config.dim, factorised=config.vocabulary == "factorised", codes_per_site=config.patch**2
        )
        self.action_encoder = ActionEncoder(
            config.action_dim, config.num_latents, config.temporal_factor, config.dim, config.mlp_ratio
        )
        self.action_tokens = None
        if config.action_points:
            self.action_tokens = ActionTokens(
                action_dim=config.action_dim,
                points=config.action_points,
                grid=config.grid,
                patch=config.patch,
                temporal_factor=config.temporal_factor,
                dim=config.dim,
            )
        specs = [masked_block(variant, config.attention) for variant in config.variants]
        self.cache_obstacle = cache_obstacle(specs, config.num_past_latents, config.num_latents)
        self.backbone = Backbone(
            specs,
            grid=config.sites,
            dim=config.dim,
            num_heads=config.num_heads,
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
        )
        self.final_norm = nn.LayerNorm(config.dim) if config.final_norm else nn.Identity()
        initialise(self, config.init, config.depth)
        self.vocabulary.reset_parameters(config.init)
        std = 0.02 if config.init == "normal" else 0.5
        self.position_embed.reset_parameters(std)
        nn.init.normal_(self.action_encoder.position, std=std)
        if self.action_tokens is not None:
            self.action_tokens.reset_parameters()

    def loss(self, codes: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of masked future tokens (paper section 2.2).

        Args:
            codes: tokens [B, T, H, W].
            actions: [B, F, A] normalised.
            generator: draws corruption, masks and dropped actions.
        """
        past, sites = self.config.num_past_latents, self.to_sites(codes)
        corrupted = self.to_sites(corrupt(codes, self.config.max_corruption_rate, self.vocabulary.size, generator))
        masked_in_batch = future_mask(sites[:, past:, ..., 0], self.config.full_mask_rate, generator)
        masked = own_rows(masked_in_batch, len(codes), generator)
        future = corrupted[:, past:].masked_fill(masked[..., None], self.vocabulary.mask_token)
        drop_actions = uniform((len(codes),), generator) < self.config.action_dropout
        hidden = self.hidden(torch.cat([corrupted[:, :past], future], dim=1), actions, drop_actions)
        # The parts of a batch have different numbers of masked sites. With this count, the mean of their losses is the
        # mean over all masked sites of the batch.
        count = masked_in_batch.sum().clamp_min(1) * (len(codes) / len(masked_in_batch))
        loss, accuracy = self.vocabulary.cross_entropy(hidden[masked.flatten(2)], sites[:, past:][masked], count)
        return loss, {"accuracy": accuracy}

    def mean_prediction(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean latents [B, T_future, H, W, C] with the whole future masked; nothing is random."""
        return self.to_grid(self.vocabulary.expected_latents(self(self._mask_future(codes), actions)))

    def future_loss(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """Loss and accuracy with the whole future masked."""
        truth = self.to_sites(codes)[:, self.config.num_past_latents :]
        hidden = self.hidden(self._mask_future(codes), actions)
        loss, accuracy = self.vocabulary.cross_entropy(hidden.flatten(0, 2), truth.flatten(0, 3))
        return {"loss": loss, "accuracy": accuracy}

    def forward(self, tokens: Tensor, actions: Tensor | None, drop_actions: Tensor | None = None) -> Tensor:
        """Logits [B, T_future, h, w, V] of the future latents; arguments as of `hidden`."""
        return self.vocabulary.head(self.hidden(tokens, actions, drop_actions)).unflatten(2, self.config.sites)

    def hidden(self, tokens: Tensor, actions: Tensor | None, drop_actions: Tensor | None = None) -> Tensor:
        """Hidden states [B, T_future, N, D] of the future latents, without a cache.

        Args:
            tokens: [B, T, h, w, P] by site, `mask_token` where masked.
            actions: [B, F, A] normalised; None drops the stream.
            drop_actions: [B] bool, samples whose actions are dropped.
        """
        past = self.config.num_past_latents
        video, action = self._embed(tokens, actions, 0, drop_actions=drop_actions)
        latents = torch.arange(tokens.shape[1], device=tokens.device)
        streams = {
            Stream.PAST_VIDEO: video[:, :past],
            Stream.FUTURE_VIDEO: video[:, past:],
            Stream.PAST_ACTIONS: action[:, :past],
            Stream.FUTURE_ACTIONS: action[:, past:],
        }
        index = {stream: latents[:past] if stream.is_past else latents[past:] for stream in streams}
        out, _ = self.backbone(streams, index, keep=False)
        return self.final_norm(out[Stream.FUTURE_VIDEO])

    def append(self, tokens: Tensor, actions: Tensor | None, cache: KVCache | None = None) -> KVCache:
        """Append keys and values of latents whose tokens are final: of the past, or of a decoded future latent.

        Args:
            tokens: [B, n, h, w, P] by site, the n latents after `cache`.
            actions: [B, f, A] normalised, the frames of these latents; None drops the stream.

        Raises:
            BadConfig: latents attend to later ones (variant and `attention`); states which.
        """
        reject_cache(self.cache_obstacle)
        _, new = self._continue(tokens, actions, cache)
        if cache is None:
            return KVCache(new, tokens.shape[1])
        return KVCache(cache.cache.append(new), cache.num_latents + tokens.shape[1])

    def predict(self, cache: KVCache, tokens: Tensor, actions: Tensor | None) -> Tensor:
        """Logits [B, n, h, w, V] of the n latents after `cache`, equal to `forward`'s; arguments as of `append`."""
        return self.vocabulary.head(self.hidden_after(cache, tokens, actions))

    def hidden_after(self, cache: KVCache, tokens: Tensor, actions: Tensor | None, skip: int = 0) -> Tensor:
        """Hidden states [B, n, h, w, D] of n latents after `cache`; the head turns them into logits.

        Args:
            cache: of one past for all samples, or of B pasts.
            tokens: [B, n, h, w, P] by site.
            actions: [B, f, A] normalised, of the frames of the skipped latents and of the n; None drops the stream.
            skip: latents between the cache and `tokens` that are left out: only their actions are attended to.
        """
        hidden, _ = self._continue(tokens, actions, cache, skip, keep=False)
        return self.final_norm(hidden).unflatten(2, self.config.sites)

    def _continue(
        self, tokens: Tensor, actions: Tensor | None, cache: KVCache | None, skip: int = 0, *, keep: bool = True
    ) -> tuple[Tensor, Cache]:
        """Hidden states of the latents after `cache` and `skip` further ones, and their keys and values if kept."""
        first = 0 if cache is None else cache.num_latents
        video, action = self._embed(tokens, actions, first, skip)
        if cache is None:
            streams = {Stream.PAST_VIDEO: video, Stream.PAST_ACTIONS: action}
        else:
            streams = {Stream.FUTURE_VIDEO: video, Stream.FUTURE_ACTIONS: action}
        latents = torch.arange(first, first + skip + tokens.shape[1], device=tokens.device)
        index = {stream: latents[skip:] if stream.is_video else latents for stream in streams}
        out, new = self.backbone(streams, index, None if cache is None else cache.cache, keep=keep)
        return out[next(iter(streams))], new

    def _mask_future(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T, H, W] by site, the whole future masked."""
        sites = self.to_sites(tokens).clone()
        sites[:, self.config.num_past_latents :] = self.vocabulary.mask_token
        return sites

    def _embed(
        self,
        tokens: Tensor,
        actions: Tensor | None,
        first_latent: int,
        skip: int = 0,
        drop_actions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Video [B, T, N, D] and actions [B, skip + T, 1, D], zeros without actions."""
        video = self.position_embed(self.vocabulary.embed(tokens).flatten(2, 3), first_latent + skip)
        if actions is None:
            return video, video.new_zeros(len(tokens), skip + tokens.shape[1], 1, self.config.dim)
        if self.action_tokens is not None:
            own = actions[:, skip * self.config.temporal_factor :]  # only a cache is followed by skipped latents
            video = video + zeroed(self.action_tokens(own, first_latent + skip), drop_actions)
        return video, zeroed(self.action_encoder(actions, first_latent), drop_actions)
