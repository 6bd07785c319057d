"""Flow-HWM: flow matching in the continuous latents of a video, given past and actions (paper sections 2.3 and 2.4).

Time t runs from 0, noise, to 1, data.
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.models.conditioning import Conditioning, PastCache, PastInputs, either, zeroed
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.flow_matching import FlowMatching
from hwm_core.models.flow_path import linear_estimate, velocity_to
from hwm_core.nn.action_maps import ActionMaps
from hwm_core.nn.action_modulation import ActionModulation
from hwm_core.nn.attention_spec import flow_block
from hwm_core.nn.backbone import Backbone, reject_cache
from hwm_core.nn.conv_path import ConvPath
from hwm_core.nn.embed import PositionEmbedding, time_features
from hwm_core.nn.initialise import initialise
from hwm_core.nn.key_value import Cache
from hwm_core.nn.patches import from_patches, to_patches
from hwm_core.nn.reachability import cache_obstacle
from hwm_core.nn.take import take
from hwm_core.streams import Stream


class FlowWorldModel(FlowMatching):
    """Predicts the velocity from noise to the future latents, given past latents and past and future actions."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        dim, patch_channels = config.dim, config.latent_channels * config.patch**2
        self.position_embed = self.action_modulation = self.action_maps = self.conv_path = None
        if config.position == "rotary_and_learned":
            self.position_embed = PositionEmbedding(config.num_latents, math.prod(config.sites), dim)
        self.time_embed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim), nn.SiLU())
        self.action_embed = nn.Sequential(nn.Linear(config.action_dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))
        self.past_patch_embed = nn.Linear(patch_channels, dim)
        if config.modulation == "time_and_actions":
            self.action_modulation = ActionModulation(config.action_dim, config.temporal_factor, dim)
        if config.action_points:
            self.action_maps = ActionMaps(
                action_dim=config.action_dim,
                points=config.action_points,
                grid=config.grid,
                temporal_factor=config.temporal_factor,
                num_latents=config.num_future_latents,
            )
        if config.conv_width:
            self.conv_path = ConvPath(
                channels=config.latent_channels,
                num_past=config.num_past_latents,
                patch=config.patch,
                width=config.conv_width,
                blocks=config.conv_blocks,
                dim=dim,
                map_channels=self.action_maps.channels if self.action_maps is not None else 0,
            )
        else:
            self.future_patch_embed = nn.Linear(patch_channels, dim)
        specs = [
            flow_block(variant, config.attention, last=i == config.depth - 1, qk_norm=config.qk_norm)
            for i, variant in enumerate(config.variants)
        ]
        self.clean_streams = specs[0].clean
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
            self.head = nn.Linear(dim, patch_channels, bias=False)
        initialise(self, config.init, config.depth)
        nn.init.zeros_(self.final_modulation.weight)
        if self.action_maps is not None:
            self.action_maps.reset_parameters()
        if self.position_embed is not None:
            self.position_embed.reset_parameters(std=0.02 if config.init == "xavier" else 0.5)

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return () if self.config.conv_width else (self.head,)

    @property
    def separate_latents(self) -> bool:
        return self.config.future == "separate"

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        past: Tensor,
        actions: Tensor | None,
        *,
        drop_context: Tensor | None = None,
        drop_actions: Tensor | None = None,
        latents: Sequence[int] | None = None,
    ) -> Tensor:
        """As `FlowMatching.forward`, without a cache."""
        past_actions = future_actions = None
        if actions is not None:
            past_actions, future_actions = actions.split([self.config.past_frames, self.config.future_frames], dim=1)
        drop_actions = either(drop_context, drop_actions)
        conditioning = Conditioning(t, self._read_past(past, past_actions, drop_context), future_actions, drop_actions)
        tokens = self._embed_past(past, past_actions, drop_context, drop_actions)
        if self.config.future == "separate":  # the past is computed once for all latents
            return self._velocity(noisy, conditioning, {}, self._past_cache(tokens), latents)
        return self._velocity(noisy, conditioning, tokens, None, latents)

    def prefill(self, past: Tensor, actions: Tensor | None, *, drop_context: Tensor | None = None) -> PastCache:
        """Compute keys and values of the past, once for every future and every time.

        Args:
            past: [B, T_past, H, W, C].
            actions: [B, F_past, A] normalised; None drops the stream.
            drop_context: [B] bool, samples whose past and actions are dropped.

        Raises:
            BadConfig: the past depends on the future or on the time (variant and `attention`); states which.
        """
        reject_cache(self.cache_obstacle)
        tokens = self._embed_past(past, actions, drop_context, drop_context)
        return PastCache(self._past_cache(tokens), self._read_past(past, actions, drop_context))

    def predict(
        self,
        cache: PastCache,
        noisy: Tensor,
        t: Tensor,
        actions: Tensor | None,
        *,
        drop_actions: Tensor | None = None,
        latents: Sequence[int] | None = None,
    ) -> Tensor:
        """Velocity, equal to `forward`'s; `actions` [B, F_future, A] belong to the future frames.

        `noisy` and `t` of one sample are shared by all actions: what does not depend on the actions is computed once.
        """
        return self._velocity(noisy, Conditioning(t, cache.past, actions, drop_actions), {}, cache.cache, latents)

    def _past_cache(self, tokens: Mapping[Stream, Tensor]) -> Cache:
        """Keys and values of the tokens of the past, which is clean: t = 1."""
        clean = self._embed_time(tokens[Stream.PAST_VIDEO].new_ones(1))
        _, cache = self.backbone(tokens, self._positions(tokens), None, dict.fromkeys(tokens, clean))
        return cache

    def _velocity(
        self,
        noisy: Tensor,
        conditioning: Conditioning,
        past_tokens: Mapping[Stream, Tensor],
        cache: Cache | None,
        latents: Sequence[int] | None,
    ) -> Tensor:
        """Velocity of some future latents (None: all); the past comes as tokens or as a cache."""
        chosen = tuple(range(self.config.num_future_latents)) if latents is None else tuple(latents)
        if self.config.future == "joint" or len(chosen) == 1:
            return self._joint_velocity(noisy, conditioning, past_tokens, cache, chosen)
        each = zip(noisy.unbind(1), chosen, strict=True)
        return torch.cat(
            [self._joint_velocity(one[:, None], conditioning, past_tokens, cache, (latent,)) for one, latent in each],
            dim=1,
        )

    def _joint_velocity(
        self,
        noisy: Tensor,
        conditioning: Conditioning,
        past_tokens: Mapping[Stream, Tensor],
        cache: Cache | None,
        latents: tuple[int, ...],
    ) -> Tensor:
        """Embed the future latents, run the blocks, project to a velocity."""
        config, past, t = self.config, conditioning.past.latents, conditioning.time
        time, clean = self._embed_time(t), self._embed_time(t.new_ones(1))
        condition = self._future_condition(time, conditioning, latents)
        maps = self._draw_actions(conditioning, latents, noisy)
        video, features = self._embed_future(noisy, past, t, condition, latents, maps)
        actions = self._embed_actions(conditioning.actions, conditioning.drop_actions, noisy, config.future_frames)
        tokens = {**past_tokens, Stream.FUTURE_VIDEO: video, Stream.FUTURE_ACTIONS: actions}
        conditions = {stream: clean if stream in self.clean_streams else time for stream in tokens}
        conditions[Stream.FUTURE_VIDEO] = condition
        out, _ = self.backbone(tokens, self._positions(tokens, latents), cache, conditions, keep=False)
        hidden = F.layer_norm(out[Stream.FUTURE_VIDEO], (config.dim,))
        shift, scale = self.final_modulation(condition)[:, :, None].chunk(2, dim=-1)
        prediction = self._project(hidden * (1 + scale) + shift, features, past, condition)
        return velocity_to(prediction, noisy, t, config.sigma_min) if config.predicts == "data" else prediction

    def _future_condition(self, time: Tensor, conditioning: Conditioning, latents: tuple[int, ...]) -> Tensor:
        """What modulates the future video, [B, T or 1, D]: the embedded time, and the actions if configured."""
        if self.action_modulation is None or conditioning.actions is None:
            return time
        of_latents = take(conditioning.actions.unflatten(1, (-1, self.config.temporal_factor)), latents, dim=1)
        actions = self.action_modulation(of_latents, conditioning.past.newest_action)
        return time + zeroed(actions, conditioning.drop_actions)

    def _draw_actions(self, conditioning: Conditioning, latents: tuple[int, ...], like: Tensor) -> Tensor | None:
        """Maps [B, T, channels, H, W] of the actions, zero where they are dropped; None without `action_points`."""
        if self.action_maps is None:
            return None
        if conditioning.actions is None:
            return like.new_zeros(len(like), len(latents), self.action_maps.channels, *self.config.grid)
        maps = self.action_maps(conditioning.actions, conditioning.past.newest_action, latents)
        return zeroed(maps, conditioning.drop_actions)

    def _embed_future(
        self,
        noisy: Tensor,
        past: Tensor,
        t: Tensor,
        condition: Tensor,
        latents: tuple[int, ...],
        maps: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Tokens [B, T, N, D], and the features that a convolution path continues from."""
        if self.config.input_scaling == "linear_estimate":
            noisy = linear_estimate(noisy, t, self.config.sigma_min)
        if self.conv_path is None:
            tokens, features = self.future_patch_embed(to_patches(noisy, self.config.patch)), None
        else:
            tokens, features = self.conv_path.encode(noisy, past, condition, maps)
        return self._add_position(tokens, [self.config.num_past_latents + latent for latent in latents]), features

    def _project(self, tokens: Tensor, features: Tensor | None, past: Tensor, condition: Tensor) -> Tensor:
        """Predicted velocity or data [B, T, H, W, C]."""
        if self.conv_path is None or features is None:
            return from_patches(self.head(tokens), self.config.patch, *self.config.sites)
        return self.conv_path.decode(tokens, features, past, condition)

    def _read_past(self, past: Tensor, actions: Tensor | None, drop_context: Tensor | None) -> PastInputs:
        newest = past.new_zeros(len(past), self.config.action_dim) if actions is None else actions[:, -1]
        return PastInputs(zeroed(past, drop_context), zeroed(newest, drop_context))

    def _embed_past(
        self, latents: Tensor, actions: Tensor | None, drop_context: Tensor | None, drop_actions: Tensor | None
    ) -> dict[Stream, Tensor]:
        patches = self.past_patch_embed(to_patches(latents, self.config.patch))
        video = self._add_position(patches, range(self.config.num_past_latents))
        return {
            Stream.PAST_VIDEO: zeroed(video, drop_context),
            Stream.PAST_ACTIONS: self._embed_actions(actions, drop_actions, latents, self.config.past_frames),
        }

    def _embed_actions(self, actions: Tensor | None, drop: Tensor | None, like: Tensor, frames: int) -> Tensor:
        """[B, F, 1, D], one token per frame; zeros where actions are dropped."""
        if actions is None:
            return like.new_zeros(len(like), frames, 1, self.config.dim)
        return zeroed(self.action_embed(actions)[:, :, None], drop)

    def _embed_time(self, t: Tensor) -> Tensor:
        """Times [B] -> [B, 1, D]."""
        return self.time_embed(time_features(1000.0 * t, self.config.dim))[:, None]

    def _add_position(self, tokens: Tensor, latents: Sequence[int]) -> Tensor:
        return tokens if self.position_embed is None else tokens + take(self.position_embed.weight, latents)

    def _positions(
        self, streams: Mapping[Stream, Tensor], latents: tuple[int, ...] | None = None
    ) -> dict[Stream, Tensor]:
        """Latent indices of video and frame indices of actions; the future continues the indices of the past."""
        indices = torch.arange(self.config.num_latents, device=self.device)
        frames = torch.arange(self.config.past_frames + self.config.future_frames, device=self.device)
        index = {}
        for stream in streams:
            if stream.is_video:
                every, num_past = indices, self.config.num_past_latents
            else:
                every, num_past = frames, self.config.past_frames
            index[stream] = every[:num_past] if stream.is_past else every[num_past:]
            if stream is Stream.FUTURE_VIDEO and latents is not None:
                index[stream] = take(index[stream], latents)
        return index
