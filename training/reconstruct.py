"""Evaluate a tokenizer: how well it reconstructs the validation windows of a store, and how it uses its codes."""

import argparse
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from hwm_core.clips import num_frames
from hwm_core.data.batches import stack
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows, evenly_spaced
from hwm_core.evaluation.reconstruction import measure, reconstruct
from hwm_core.evaluation.reconstruction_report import markdown, reconstruction_examples, reconstruction_json
from hwm_core.io.atomic import new_file, write_json, write_text
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.types import Episode
from hwm_core.visualization import VideoWriter, contact_sheet, heat, side_by_side, write_png
from hwm_core.world_model.checkpoint import load_tokenizer

from .devices import own_device


def report_reconstruction(options: argparse.Namespace) -> int:
    """Measure the tokenizer and write the files. Raises BadInput for errors of the user."""
    device = own_device(options.device)
    tokenizer = load_tokenizer(options.tokenizer, device)
    store = open_store(options.store)
    episodes = getattr(store, options.split)
    frames = num_frames(options.latents, tokenizer.temporal_factor)
    every = Windows(episodes, None, 1, frames - 1, stride=options.stride)
    windows = Subset(every, evenly_spaced(options.windows, len(every)).tolist())
    batches = DataLoader(windows, options.batch, collate_fn=stack)
    result = measure(tokenizer, tqdm(batches, unit="batch", desc="reconstructing", disable=None), device=device)
    size, rate = (store.preprocessing.height, store.preprocessing.width), store.preprocessing.frame_rate_hz
    document = {
        "tokenizer": tokenizer.config.plain(),
        "store": {"split": options.split, "episodes": [episode.name for episode in episodes], "size": size},
        "settings": {"frames": frames, "stride": options.stride, "device": str(device)},
        **reconstruction_json(result),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(
        f"{tokenizer.kind} tokenizer, {size[0]}x{size[1]}",
        f"{len(windows)} windows of {frames} frames",
        reconstruction_examples(tokenizer, windows, result.mse, device),
        rate,
    )
    with new_file(options.out / "contact_sheet.png") as partial:
        write_png(partial, sheet)
    write_text(options.out / "table.md", markdown(result))
    write_json(options.out / "reconstruction.json", document)
    if options.video:
        _write_video(tokenizer, episodes[0], frames, options.out, rate, device)
    print(markdown(result))
    print(f"Written to {options.out}: " + ", ".join(sorted(path.name for path in options.out.iterdir())))
    return 0


def _write_video(
    tokenizer: VideoTokenizer, episode: Episode, window: int, out: Path, rate: float, device: torch.device
) -> None:
    """Truth, reconstruction and difference of a whole episode, each window reconstructed independently."""
    written = 0
    with new_file(out / "reconstruction.mp4") as partial, VideoWriter(partial, rate) as video:
        for frames in reconstruct(tokenizer, episode.frames, window=window, device=device):
            for decoded in frames:
                truth = episode.frames[written]
                written += 1
                difference = heat(decoded[None], truth[None])[0]
                panels = {"truth": truth, "reconstruction": decoded, "difference": difference}
                video.write(side_by_side(panels, f"{episode.name}, frame {written}", written / len(episode)))
