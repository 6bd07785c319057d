"""Flow-HWM: flow matching in the continuous latents of a video, given past and actions (paper sections 2.3 and 2.4).

Time t runs from 0, noise, to 1, data.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from pydantic import Field, model_validator
from torch import Tensor, nn

from hwm_core.models.config import WorldModelConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.nn.attention import beside
from hwm_core.nn.attention_spec import flow_block
from hwm_core.nn.backbone import Backbone, Cache, reject_cache
from hwm_core.nn.conv_path import GROUPS, ConvPath
from hwm_core.nn.embed import time_features
from hwm_core.nn.initialise import Init, initialise
from hwm_core.nn.reachability import cache_obstacle
from hwm_core.rng.batch_rows import normal, uniform
from hwm_core.streams import Stream

_LEAD_SCALE = 3.0  # normalised values change in a second by about a third of their spread


class FlowConfig(WorldModelConfig):
    """Everything that decides the weights and the training of a flow model. Defaults are the paper's."""

    attention: Literal["full", "clean_context"] = Field(
        default="full",
        description="`full`: the past attends to the future and is modulated by t; `clean_context`: it does neither",
    )
    dim: int = Field(default=1152, gt=0)
    depth: int = Field(default=15, gt=0)
    num_heads: int = Field(default=16, gt=0)
    init: Init = Field(default="xavier", description="how weights begin: the paper's, or `fan_in` for narrow models")
    latent_channels: int = Field(default=16, gt=0)
    grid: tuple[int, int] = Field(default=(16, 16), description="cells of one latent: rows, columns")
    patch: int = Field(default=2, gt=0, description="cells of a token along rows and columns")
    predicts: Literal["velocity", "data"] = Field(
        default="velocity",
        description="what the head gives; `data` is turned into a velocity, and spares a narrow model carrying noise",
    )
    input_scaling: Literal["none", "linear_estimate"] = Field(
        default="none",
        description="input of the network: the noisy future x_t, or the best linear estimate of the data from x_t",
    )
    position: Literal["rotary", "rotary_and_learned"] = Field(
        default="rotary",
        description="whether a learned vector for each latent and site is added to video tokens, beside RoPE",
    )
    modulation: Literal["time", "time_and_actions"] = Field(
        default="time",
        description="what modulates future video: the time, or also its latent's actions and how far they lead",
    )
    qk_norm: Literal["paper", "always"] = Field(
        default="paper",
        description="which variants normalise queries and keys: those of the paper (not the sharing ones), or all",
    )
    conv_width: int = Field(
        default=0, ge=0, description="channels of convolutions around the transformer (U-ViT); 0: none, as in the paper"
    )
    conv_blocks: int = Field(default=2, ge=0, description="of two convolutions each, before and after the transformer")
    sigma_min: float = Field(default=1e-4, ge=0, lt=1, description="noise that is left at t = 1")
    condition_dropout: float = Field(
        default=0.15, ge=0, lt=1, description="rate of samples whose past and actions are dropped, for guidance"
    )
    pure_noise_rate: float = Field(
        default=0.0, ge=0, le=1, description="rate of samples at t = 0, where one step gives the mean future"
    )
    channel_weights: Literal["equal", "decoder_sensitivity"] = Field(
        default="equal",
        description="of the channels of a latent in the loss: alike, or by what each is worth in the decoder's pixels",
    )

    @model_validator(mode="after")
    def _heads_turn_in_three_axes(self) -> "FlowConfig":
        if self.dim % self.num_heads or self.dim // self.num_heads % 6:
            raise ValueError("`dim` / `num_heads` to be a multiple of 6: a pair of channels for each axis of a video")
        return self

    @model_validator(mode="after")
    def _cells_give_data(self) -> "FlowConfig":
        if self.conv_width % GROUPS:
            raise ValueError(f"`conv_width` to be a multiple of {GROUPS}")
        if self.conv_width and self.predicts != "data":
            raise ValueError("`predicts` to be `data` where `conv_width` is not 0: they give a change of the past")
        return self


@dataclass(frozen=True)
class PastCache:
    """B pasts that are taken in: exact for every future and every time."""

    cache: Cache
    latents: Tensor  # [B, T_past, H, W, C], zero where dropped
    action: Tensor  # [B, A], the newest; zero where dropped

    def beside(self, other: "PastCache", batch: int) -> "PastCache":
        """Two pasts, each shared by `batch` samples (or of that batch), as one of 2 * batch."""
        return PastCache(
            self.cache.beside(other.cache, batch),
            beside(self.latents, other.latents, batch),
            beside(self.action, other.action, batch),
        )


class FlowWorldModel(WorldModelNetwork):
    """Predicts the velocity from noise to the future latents, given past latents and past and future actions.

    `channel_weights` [C], of mean 1, weigh the channels in the loss. They belong to the training, and to no checkpoint:
    ones until `hwm_core.tokenizers.decoder_sensitivity` measures them.
    """

    config: FlowConfig
    channel_weights: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        dim, cell = config.dim, config.latent_channels * config.patch**2
        self.time_embed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim), nn.SiLU())
        self.action_embed = nn.Sequential(nn.Linear(config.action_dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))
        self.past_patch_embed = nn.Linear(cell, dim)
        self.position_embed = self.action_modulation = self.conv_path = None
        if config.position == "rotary_and_learned":
            self.position_embed = nn.Parameter(torch.empty(config.num_latents, math.prod(config.sites), dim))
        if config.modulation == "time_and_actions":
            told = (2 * config.temporal_factor + 1) * config.action_dim
            self.action_modulation = nn.Sequential(nn.Linear(told, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))
        if config.conv_width:
            self.conv_path = ConvPath(
                channels=config.latent_channels,
                num_past=config.num_past_latents,
                patch=config.patch,
                width=config.conv_width,
                blocks=config.conv_blocks,
                dim=dim,
            )
        else:
            self.future_patch_embed = nn.Linear(cell, dim)
        specs = [
            flow_block(variant, config.attention, last=i == config.depth - 1, qk_norm=config.qk_norm)
            for i, variant in enumerate(config.variants)
        ]
        self.clean = specs[0].clean
        self.cache_obstacle = cache_obstacle(specs, config.num_past_latents, config.num_latents, by_latent=False)
        self.backbone = Backbone(
            specs,
            grid=config.sites,
            dim=dim,
            num_heads=config.num_heads,
            mlp_ratio=config.mlp_ratio,
            dropout=0.0,
        )
        self.final_modulation = nn.Linear(dim, 2 * dim)
        if not config.conv_width:
            self.head = nn.Linear(dim, cell, bias=False)
        self.register_buffer("channel_weights", torch.ones(config.latent_channels), persistent=False)
        initialise(self, config.init, config.depth)
        nn.init.zeros_(self.final_modulation.weight)
        if self.position_embed is not None:
            nn.init.normal_(self.position_embed, std=0.02 if config.init == "xavier" else 0.5)

    @property
    def needs_channel_weights(self) -> bool:
        return self.config.channel_weights == "decoder_sensitivity"

    def set_channel_weights(self, weights: Tensor) -> None:
        self.channel_weights.copy_(weights)

    @property
    def device(self) -> torch.device:
        return self.past_patch_embed.weight.device

    def loss(self, latents: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error at a random time, of the velocity (paper equation 3) or of the data: what the head gives.

        Args:
            latents: [B, T, H, W, C] normalised.
            actions: [B, F, A] normalised.
            generator: draws noise, times and dropped conditions.
        """
        past, data = latents.split([self.config.num_past_latents, self.config.num_future_latents], dim=1)
        noise = normal(data.shape, generator)
        t = torch.sigmoid(normal((len(data),), generator))  # logit-normal
        start, drop, mute = (uniform((len(data),), generator) for _ in range(3))
        t = t.masked_fill(start < self.config.pure_noise_rate, 0.0)
        velocity = self(
            interpolate(noise, data, t, self.config.sigma_min),
            t,
            past,
            actions,
            dropped=drop < self.config.condition_dropout,
            muted=mute < self.config.action_dropout,
        )
        wrong = velocity.float() - (data - (1 - self.config.sigma_min) * noise)
        if self.config.predicts == "data":
            wrong = wrong * noise_left(t, self.config.sigma_min).view(-1, 1, 1, 1, 1)
        return self._weighed(wrong), {}

    def mean_prediction(self, latents: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean latents [B, T_future, H, W, C], a step from pure noise; of latents [B, T, H, W, C] the past is read.

        At t = 0 the noise says nothing of the data, so that the best velocity is the mean of the data less this noise.
        """
        past, data = latents.split([self.config.num_past_latents, self.config.num_future_latents], dim=1)
        noise = normal(data.shape, generator)
        return noise + self(noise, noise.new_zeros(len(noise)), past, actions).float()

    def future_loss(self, latents: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """Squared error of the mean future, weighed as the loss; arguments as of `loss`, None drops the actions."""
        mean = self.mean_prediction(latents, actions, generator)
        return {"loss": self._weighed(mean - latents[:, self.config.num_past_latents :])}

    def _weighed(self, wrong: Tensor) -> Tensor:
        """The mean square of errors [B, T, H, W, C], each channel with its weight."""
        return (wrong.square() * self.channel_weights).mean()

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        past: Tensor,
        actions: Tensor | None,
        *,
        dropped: Tensor | None = None,
        muted: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B, T_future, H, W, C], every token computed.

        Args:
            noisy: [B, T_future, H, W, C] at time t.
            t: [B] in [0, 1].
            past: [B, T_past, H, W, C] normalised latents.
            actions: [B, F, A] normalised; None drops both action streams.
            dropped: [B] bool, samples whose past and actions are zeroed.
            muted: [B] bool, samples whose actions alone are zeroed.
        """
        before, after = self._cut(actions)
        silent = dropped if muted is None else muted if dropped is None else muted | dropped
        streams = self._past(past, before, dropped, silent)
        return self._velocity(noisy, t, after, silent, self._begin_from(past, before, dropped), streams, None)

    def prefill(self, past: Tensor, actions: Tensor | None, *, dropped: Tensor | None = None) -> PastCache:
        """Take in the past, once for every future and every time.

        Args:
            past: [B, T_past, H, W, C].
            actions: [B, F_past, A] normalised; None drops the stream.
            dropped: [B] bool, contexts that are zeroed.

        Raises:
            BadConfig: a variant and context whose past hears the future or the time; says which.
        """
        reject_cache(self.cache_obstacle)
        streams = self._past(past, actions, dropped, dropped)
        clean = self._embed_time(past.new_ones(1))
        _, cache = self.backbone(streams, self._positions(streams), None, dict.fromkeys(streams, clean))
        return PastCache(cache, *self._begin_from(past, actions, dropped))

    def predict(
        self, cache: PastCache, noisy: Tensor, t: Tensor, actions: Tensor | None, *, dropped: Tensor | None = None
    ) -> Tensor:
        """Velocity, equal to `forward`'s; `actions` [B, F_future, A] are those of the future frames."""
        return self._velocity(noisy, t, actions, dropped, (cache.latents, cache.action), {}, cache.cache)

    def _velocity(
        self,
        noisy: Tensor,
        t: Tensor,
        actions: Tensor | None,
        silent: Tensor | None,
        begin: tuple[Tensor, Tensor],
        streams: Mapping[Stream, Tensor],
        cache: Cache | None,
    ) -> Tensor:
        """From the past as tokens or as a cache; the future's latents and actions begin from those of `begin`."""
        past, now = begin
        time, clean = self._embed_time(t), self._embed_time(t.new_ones(1))
        condition = time
        if self.action_modulation is not None and actions is not None:
            condition = time + self._lead(actions, now, silent)
        shown = noisy if self.config.input_scaling == "none" else linear_estimate(noisy, t, self.config.sigma_min)
        tokens, cells = self._enter(shown, past, condition)
        streams = {
            **streams,
            Stream.FUTURE_VIDEO: self._placed(tokens, self.config.num_past_latents),
            Stream.FUTURE_ACTIONS: self._action_tokens(actions, silent, noisy, self.config.future_frames),
        }
        conditions = {stream: clean if stream in self.clean else time for stream in streams}
        conditions[Stream.FUTURE_VIDEO] = condition
        out, _ = self.backbone(streams, self._positions(streams), cache, conditions)
        tokens = F.layer_norm(out[Stream.FUTURE_VIDEO], (self.config.dim,))
        shift, scale = self.final_modulation(condition)[:, :, None].chunk(2, dim=-1)
        data = self._leave(tokens * (1 + scale) + shift, cells, past, condition)
        return data if self.config.predicts == "velocity" else velocity_to(data, noisy, t, self.config.sigma_min)

    def _enter(self, noisy: Tensor, past: Tensor, condition: Tensor) -> tuple[Tensor, Tensor | None]:
        """Tokens [B, T, N, D], and the cells beside them."""
        if self.conv_path is not None:
            return self.conv_path.enter(noisy, past, condition)
        return self.future_patch_embed(self._patches(noisy)), None

    def _leave(self, tokens: Tensor, cells: Tensor | None, past: Tensor, condition: Tensor) -> Tensor:
        """What the head gives, [B, T, H, W, C]."""
        if self.conv_path is not None and cells is not None:
            return self.conv_path.leave(tokens, cells, past, condition)
        height, width = self.config.sites
        return rearrange(
            self.head(tokens),
            "b t (h w) (p q c) -> b t (h p) (w q) c",
            h=height,
            w=width,
            p=self.config.patch,
            q=self.config.patch,
        )

    def _lead(self, actions: Tensor, now: Tensor, silent: Tensor | None) -> Tensor:
        """[B, T, D] of each future latent's actions [B, F, A], and of how far they lead from `now` [B or 1, A]."""
        assert self.action_modulation is not None
        frames = actions.unflatten(1, (-1, self.config.temporal_factor))
        ahead = _LEAD_SCALE * (frames - now[:, None, None])
        now = now[:, None].expand(*frames.shape[:2], -1)
        told = self.action_modulation(torch.cat([frames.flatten(2), ahead.flatten(2), now], dim=-1))
        return told if silent is None else told * ~silent[:, None, None]

    def _begin_from(self, past: Tensor, actions: Tensor | None, dropped: Tensor | None) -> tuple[Tensor, Tensor]:
        """Past latents, and the newest past action, zero where dropped."""
        now = past.new_zeros(len(past), self.config.action_dim) if actions is None else actions[:, -1]
        if dropped is None:
            return past, now
        return past * ~dropped[:, None, None, None, None], now * ~dropped[:, None]

    def _embed_time(self, t: Tensor) -> Tensor:
        """[B, 1, D] of times [B]."""
        return self.time_embed(time_features(1000.0 * t, self.config.dim))[:, None]

    def _past(
        self, latents: Tensor, actions: Tensor | None, dropped: Tensor | None, silent: Tensor | None
    ) -> dict[Stream, Tensor]:
        return {
            Stream.PAST_VIDEO: _zeroed(self._placed(self.past_patch_embed(self._patches(latents)), 0), dropped),
            Stream.PAST_ACTIONS: self._action_tokens(actions, silent, latents, self.config.past_frames),
        }

    def _placed(self, tokens: Tensor, first: int) -> Tensor:
        """Tokens [B, T, N, D] of latents `first`, `first` + 1, ..., with where they are, if that is learned."""
        return tokens if self.position_embed is None else tokens + self.position_embed[first : first + tokens.shape[1]]

    def _action_tokens(self, actions: Tensor | None, silent: Tensor | None, latents: Tensor, frames: int) -> Tensor:
        """[B, F, 1, D]; a token for each frame."""
        if actions is None:
            return latents.new_zeros(len(latents), frames, 1, self.config.dim)
        return _zeroed(self.action_embed(actions)[:, :, None], silent)

    def _patches(self, latents: Tensor) -> Tensor:
        """[B, T, H, W, C] -> [B, T, N, C * patch * patch]."""
        size = self.config.patch
        return rearrange(latents, "b t (h p) (w q) c -> b t (h w) (p q c)", p=size, q=size)

    def _positions(self, streams: dict[Stream, Tensor]) -> dict[Stream, Tensor]:
        """Latent indices of video and frame indices of actions, each counted over past and future together."""
        video = torch.arange(self.config.num_latents, device=self.device)
        frames = torch.arange(self.config.past_frames + self.config.future_frames, device=self.device)
        cut = {True: (video, self.config.num_past_latents), False: (frames, self.config.past_frames)}
        at = {}
        for stream in streams:
            index, first = cut[stream.is_video]
            at[stream] = index[:first] if stream.is_past else index[first:]
        return at

    def _cut(self, actions: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        if actions is None:
            return None, None
        return actions[:, : self.config.past_frames], actions[:, self.config.past_frames :]


def interpolate(noise: Tensor, data: Tensor, t: Tensor, sigma_min: float) -> Tensor:
    """The point of the path at times t [B]: noise at 0, data + sigma_min * noise at 1 (paper equation 1)."""
    t = t.view(-1, *[1] * (data.ndim - 1))
    return t * data + (1 - (1 - sigma_min) * t) * noise


def linear_estimate(point: Tensor, t: Tensor, sigma_min: float) -> Tensor:
    """Of the data, the best linear one from points of the path at times t [B]; data and noise have unit variance."""
    noise = 1 - (1 - sigma_min) * t
    return (t / (t.square() + noise.square())).view(-1, *[1] * (point.ndim - 1)) * point


def noise_left(t: Tensor, sigma_min: float) -> Tensor:
    """The share of the noise at times t, at least 0.05, to divide by (Li & He 2025, arXiv 2511.13720, section 4)."""
    return (1 - (1 - sigma_min) * t.float()).clamp_min(0.05)


def velocity_to(data: Tensor, point: Tensor, t: Tensor, sigma_min: float) -> Tensor:
    """The velocity at times t [B] of the path that leads through `point` to `data`, in float32."""
    left = noise_left(t, sigma_min).view(-1, *[1] * (data.ndim - 1))
    return (data.float() - (1 - sigma_min) * point.float()) / left


def _zeroed(tokens: Tensor, which: Tensor | None) -> Tensor:
    """Tokens [B, T, N, D], those of samples in `which` [B] zeroed: what a dropped condition is."""
    return tokens if which is None else tokens * ~which[:, None, None, None]
