"""Frames <-> latents: the first frame is a latent alone, then each group of frames is one (1 + 8k <-> 1 + k)."""

from hwm_core.errors import BadInput


def num_frames(latents: int, temporal_factor: int) -> int:
    """Frames that `latents` latents hold."""
    return 1 + (latents - 1) * temporal_factor


def num_latents(frames: int, temporal_factor: int) -> int:
    """Latents of `frames` frames. Raises BadInput unless frames = 1 + k * temporal_factor."""
    groups, rest = divmod(frames - 1, temporal_factor)
    if frames < 1 or rest:
        raise BadInput(
            "clip length",
            expected=f"1 + k * {temporal_factor} frames",
            got=f"{frames} frames",
            remedy="Cut the clip so that its newest frame closes a group.",
        )
    return 1 + groups
