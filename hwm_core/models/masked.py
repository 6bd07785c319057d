"""Masked-HWM: a masked transformer over video tokens and actions (paper sections 2.2 and 2.4)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from pydantic import Field, model_validator
from torch import Tensor, nn

from hwm_core.models.config import WorldModelConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.vocabulary import Vocabulary
from hwm_core.nn.attention_spec import masked_block
from hwm_core.nn.backbone import Backbone, Cache, reject_cache
from hwm_core.nn.embed import ActionEncoder
from hwm_core.nn.initialise import Init, initialise
from hwm_core.nn.reachability import cache_obstacle
from hwm_core.rng.batch_rows import integers, own_rows, uniform, uniform_of_batch
from hwm_core.streams import Stream


class MaskedConfig(WorldModelConfig):
    """Everything that decides the weights and the training corruption of a masked model. Defaults are the paper's."""

    attention: Literal["time_aligned", "bidirectional"] = "time_aligned"
    dim: int = Field(default=512, gt=0)
    depth: int = Field(default=24, gt=0)
    num_heads: int = Field(default=8, gt=0)
    dropout: float = Field(default=0.4, ge=0, lt=1, description="inside the MLPs")
    final_norm: bool = Field(default=False, description="layer norm before the head; the paper has none")
    init: Init = Field(default="normal", description="how weights begin: the paper's, or `fan_in` for narrow models")
    vocabulary: Literal["flat", "factorised"] = "flat"
    levels: tuple[int, ...] = (8, 8, 8, 5, 5, 5)
    grid: tuple[int, int] = Field(default=(32, 32), description="tokens of one latent: specs, columns")
    patch: int = Field(default=1, gt=0, description="tokens of a site along specs and columns; the paper has one")
    max_corruption_rate: float = Field(
        default=0.2, ge=0, le=1, description="rho_max: largest rate of random token replacement"
    )
    full_mask_rate: float = Field(
        default=0.0, ge=0, le=1, description="rate of samples whose whole future is masked, as when decoding begins"
    )
    action_dropout: float = Field(default=0.15, ge=0, lt=1, description="rate of samples whose actions are dropped")

    @model_validator(mode="after")
    def _heads_turn_in_two_axes(self) -> "MaskedConfig":
        if self.dim % self.num_heads or self.dim // self.num_heads % 4:
            raise ValueError("`dim` / `num_heads` to be a multiple of 4: a pair of channels for each axis of a picture")
        return self


@dataclass(frozen=True)
class KVCache:
    """Latents that will not change any more: their exact keys and values, and how many there are."""

    cache: Cache
    num_latents: int


class MaskedWorldModel(WorldModelNetwork):
    """Predicts the tokens of masked future latents from past tokens and past and future actions."""

    config: MaskedConfig

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(
            config.levels, config.dim, factorised=config.vocabulary == "factorised", codes_per_site=config.patch**2
        )
        self.position_embed = nn.Parameter(torch.empty(config.num_latents, math.prod(config.sites), config.dim))
        self.action_encoder = ActionEncoder(
            config.action_dim, config.num_latents, config.temporal_factor, config.dim, config.mlp_ratio
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
        for table in (self.position_embed, self.action_encoder.position):
            nn.init.normal_(table, std=0.02 if config.init == "normal" else 0.5)

    def loss(self, tokens: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of masked future tokens (paper section 2.2).

        Args:
            tokens: [B, T, H, W] of the tokenizer.
            actions: [B, F, A] normalised.
            generator: draws corruption, masks and dropped action streams.
        """
        past, sites = self.config.num_past_latents, self.to_sites(tokens)
        corrupted = self.to_sites(corrupt(tokens, self.config.max_corruption_rate, self.vocabulary.size, generator))
        of_batch = future_mask(sites[:, past:, ..., 0], self.config.full_mask_rate, generator)
        masked = own_rows(of_batch, len(tokens), generator)
        future = corrupted[:, past:].masked_fill(masked[..., None], self.vocabulary.mask_token)
        dropped = uniform((len(tokens),), generator) < self.config.action_dropout
        hidden = self.hidden(torch.cat([corrupted[:, :past], future], dim=1), actions, dropped)
        # Parts of a batch hold unlike numbers of masked sites; the mean of what they give is the mean over all sites.
        count = of_batch.sum().clamp_min(1) * (len(tokens) / len(of_batch))
        loss, accuracy = self.vocabulary.cross_entropy(hidden[masked.flatten(2)], sites[:, past:][masked], count)
        return loss, {"accuracy": accuracy}

    def future_loss(self, tokens: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """Loss and accuracy with the whole future masked; arguments as of `loss`, None drops the actions."""
        truth = self.to_sites(tokens)[:, self.config.num_past_latents :]
        hidden = self.hidden(self._past_alone(tokens), actions)
        loss, accuracy = self.vocabulary.cross_entropy(hidden.flatten(0, 2), truth.flatten(0, 3))
        return {"loss": loss, "accuracy": accuracy}

    def to_sites(self, tokens: Tensor) -> Tensor:
        """Tokens [..., H, W] -> [..., h, w, P], the codes of each site."""
        return rearrange(tokens, "... (h p) (w q) -> ... h w (p q)", p=self.config.patch, q=self.config.patch)

    def to_grid(self, sites: Tensor) -> Tensor:
        """Codes of each site [S, T, h, w, P, ...] -> [S, T, H, W, ...]; the inverse of `to_sites`."""
        return rearrange(sites, "s t h w (p q) ... -> s t (h p) (w q) ...", p=self.config.patch, q=self.config.patch)

    def hidden(self, tokens: Tensor, actions: Tensor | None, dropped: Tensor | None = None) -> Tensor:
        """Hidden states [B, T_future, N, D] of the future latents, every latent computed.

        Args:
            tokens: [B, T, h, w, P] by site, `mask_token` where unknown.
            actions: [B, F, A] normalised; None drops the stream.
            dropped: [B] bool, samples whose action stream is zeroed.
        """
        past = self.config.num_past_latents
        video, action = self._embed(tokens, actions, 0)
        if dropped is not None:
            action = action * ~dropped[:, None, None, None]
        at = torch.arange(tokens.shape[1], device=tokens.device)
        streams = {
            Stream.PAST_VIDEO: video[:, :past],
            Stream.FUTURE_VIDEO: video[:, past:],
            Stream.PAST_ACTIONS: action[:, :past],
            Stream.FUTURE_ACTIONS: action[:, past:],
        }
        latents = {s: at[:past] if s.is_past else at[past:] for s in streams}
        out, _ = self.backbone(streams, latents)
        return self.final_norm(out[Stream.FUTURE_VIDEO])

    def forward(self, tokens: Tensor, actions: Tensor | None, dropped: Tensor | None = None) -> Tensor:
        """Logits [B, T_future, h, w, V] of the future latents; arguments as of `hidden`."""
        return self.vocabulary.head(self.hidden(tokens, actions, dropped)).unflatten(2, self.config.sites)

    def mean_prediction(self, tokens: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean latents [B, T_future, H, W, C] when the whole future of tokens [B, T, H, W] is masked; draws nothing."""
        return self.to_grid(self.vocabulary.expected_latents(self(self._past_alone(tokens), actions)))

    def append(self, tokens: Tensor, actions: Tensor | None, cache: KVCache | None = None) -> KVCache:
        """Compute keys and values of latents whose tokens are final: the past, or a future latent after decoding.

        Args:
            tokens: [B, n, h, w, P] by site, the n latents after `cache`.
            actions: [B, f, A] normalised, the frames of these latents; None drops the stream.

        Raises:
            BadConfig: a variant whose latents hear later ones; names them.
        """
        reject_cache(self.cache_obstacle)
        _, fresh = self._continue(tokens, actions, cache)
        if cache is None:
            return KVCache(fresh, tokens.shape[1])
        return KVCache(cache.cache.then(fresh), cache.num_latents + tokens.shape[1])

    def predict(self, cache: KVCache, tokens: Tensor, actions: Tensor | None) -> Tensor:
        """Logits [B, n, h, w, V] of the n latents after `cache`, equal to `forward`'s; arguments as of `append`."""
        hidden, _ = self._continue(tokens, actions, cache)
        return self.vocabulary.head(self.final_norm(hidden)).unflatten(2, self.config.sites)

    def _continue(self, tokens: Tensor, actions: Tensor | None, cache: KVCache | None) -> tuple[Tensor, Cache]:
        first = 0 if cache is None else cache.num_latents
        video, action = self._embed(tokens, actions, first)
        keys = (
            (Stream.PAST_VIDEO, Stream.PAST_ACTIONS) if cache is None else (Stream.FUTURE_VIDEO, Stream.FUTURE_ACTIONS)
        )
        at = torch.arange(first, first + tokens.shape[1], device=tokens.device)
        out, fresh = self.backbone(dict(zip(keys, (video, action))), dict.fromkeys(keys, at), cache and cache.cache)
        return out[keys[0]], fresh

    def _past_alone(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T, H, W] by site, the whole future masked."""
        sites = self.to_sites(tokens).clone()
        sites[:, self.config.num_past_latents :] = self.vocabulary.mask_token
        return sites

    def _embed(self, tokens: Tensor, actions: Tensor | None, first: int) -> tuple[Tensor, Tensor]:
        video = self.vocabulary.embed(tokens).flatten(2, 3) + self.position_embed[first : first + tokens.shape[1]]
        if actions is None:
            return video, video.new_zeros(len(tokens), tokens.shape[1], 1, self.config.dim)
        return video, self.action_encoder(actions, first)


def corrupt(tokens: Tensor, max_rate: float, codebook_size: int, generator: torch.Generator) -> Tensor:
    """Replace tokens by random ones at rate u * max_rate, one u ~ U(0,1) per sample (Copilot4D; paper section 2.2)."""
    rate = uniform((len(tokens), *[1] * (tokens.ndim - 1)), generator) * max_rate
    random = integers(0, codebook_size, tokens.shape, generator)
    return torch.where(uniform(tokens.shape, generator) < rate, random, tokens)


def future_mask(tokens: Tensor, full_rate: float, generator: torch.Generator) -> Tensor:
    """Mask each latent at its own rate cos(pi/2 * u), u ~ U(0,1) (MaskGIT's cosine; paper section 2.2).

    A share `full_rate` of the samples is masked wholly: only there do the actions alone say what will be seen.

    Args:
        tokens: [b, T, ...], all rows of a batch or, with a RowGenerator, some of them.

    Returns:
        [B, T, ...] bool, the masks of the whole batch.
    """
    u = uniform_of_batch((*tokens.shape[:2], *[1] * (tokens.ndim - 2)), generator)
    masked = uniform_of_batch(tokens.shape, generator) < torch.cos(0.5 * math.pi * u)
    if full_rate == 0:
        return masked
    whole = uniform_of_batch((len(tokens),), generator) < full_rate
    return masked | whole.view(-1, *[1] * (tokens.ndim - 1))
