"""What an inspection found, as lines of text."""

from collections.abc import Iterator, Mapping, Sequence

from hwm_core.data.checks.inspection import Dimension, Inspection
from hwm_core.data.checks.token_inspection import TokenInspection


def of_recording(found: Inspection, every_dimension: bool) -> Iterator[str]:
    """Name and rates, remarks, and where wanted every joint."""
    yield f"{found.name}  {found.size[1]}x{found.size[0]}"
    for stream, rate in found.rates.items():
        steady = f"jitter {rate.jitter_ms:.2f} ms, {len(rate.gaps)} gaps"
        yield f"  {stream:9} {rate.messages:6} at {rate.hz:.2f} Hz, {steady}"
    yield from (f"  ! {remark}" for remark in found.remarks())
    if every_dimension:
        lags = {found.lag_names[one.column]: one.frames for one in found.lag.joints} if found.lag else {}
        yield from _of_dimensions(found.dimensions, lags)


def of_tokens(found: TokenInspection, every_dimension: bool) -> Iterator[str]:
    """Name, clips and codes, remarks, and where wanted every joint."""
    latents, height, width, *channels = found.grid
    yield f"{found.name}  {found.episodes} episodes, {found.takes} takes"
    yield f"  values    {found.frames:6} at {found.frame_rate_hz:g} Hz"
    yield f"  clips     {found.clips:6} of {found.clip_frames} frames: {latents} latents of {height}x{width}"
    if found.vocabulary:
        share = found.codes_used / found.vocabulary
        yield f"  codes     {found.codes_used:6} of {found.vocabulary} used, {share:.1%}"
    elif found.latents:
        yield f"  numbers   {found.latents[0]:+.3f} to {found.latents[1]:+.3f}, {channels[0]} to a cell"
    yield from (f"  ! {remark}" for remark in found.remarks())
    if every_dimension:
        yield from _of_dimensions(found.dimensions, {})


def _of_dimensions(dimensions: Mapping[str, Sequence[Dimension]], lags: Mapping[str, float]) -> Iterator[str]:
    for stream, some in dimensions.items():
        for one in some:
            follows = f"  lag {lags[one.name]:+.1f}" if stream == "states" and one.name in lags else ""
            spread = f"{one.lower:+9.3f} to {one.upper:+9.3f}  std {one.std:.4f}"
            yield f"  {stream:9} {one.name:28} {spread}{follows}"
