"""Batches of windows: made from windows, moved, cut into parts, joined, and written to files."""

import pytest
import torch

from hwm_core.data.batches import FrameBatch, TokenBatch, batch_from_plain, concatenate, stack


def windows(count: int) -> list[TokenBatch]:
    return [TokenBatch(torch.full((2, 3, 3), number), torch.full((5, 4), float(number))) for number in range(count)]


def test_windows_are_stacked_to_a_batch_of_their_kind():
    batch = stack(windows(3))
    assert isinstance(batch, TokenBatch) and len(batch) == 3
    assert batch.tokens.shape == (3, 2, 3, 3) and batch.actions[:, 0, 0].tolist() == [0, 1, 2]


def test_the_parts_of_a_batch_concatenate_to_the_batch():
    batch = stack(windows(4))
    parts = batch.chunk(2)
    assert [len(part) for part in parts] == [2, 2] and parts[1].tokens[0, 0, 0, 0] == 2
    whole = concatenate(parts)
    assert torch.equal(whole.tokens, batch.tokens) and torch.equal(whole.actions, batch.actions)


def test_first_and_to_change_every_tensor():
    batch = stack(windows(4)).first(1).to("meta")
    assert len(batch) == 1 and batch.tokens.is_meta and batch.actions.is_meta


def test_a_batch_survives_a_file_of_plain_values(tmp_path):
    batch = FrameBatch(torch.zeros(2, 5, 3, 8, 8, dtype=torch.uint8), torch.ones(2, 5, 0))
    torch.save(batch.plain(), tmp_path / "batch.pt")
    read = batch_from_plain(torch.load(tmp_path / "batch.pt", weights_only=True))
    assert isinstance(read, FrameBatch) and torch.equal(read.frames, batch.frames) and read.actions.shape == (2, 5, 0)
    with pytest.raises(KeyError):
        batch_from_plain({"kind": "Unknown"})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_loader_pins_the_memory_of_batches():
    loader = torch.utils.data.DataLoader(windows(4), batch_size=2, collate_fn=stack, pin_memory=True)
    batch = next(iter(loader))
    assert (
        isinstance(batch, TokenBatch)
        and batch.tokens.is_pinned()
        and batch.to("cuda", non_blocking=True).tokens.is_cuda
    )
