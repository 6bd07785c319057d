"""A small episode store with two tokenizers, and the commands that tokenise it and train on the tokens."""

import torch
from command import hwm

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.tokenizers import build_tokenizer

PREPROCESSING = Preprocessing(source_aspect=1.0, height=16, width=16)
NO_PIXELS = ["data.augmentation.shift=0", "data.augmentation.colour=0"]
SMALL = ["model.dim=16", "model.depth=1", "model.num_heads=2", "data.validation_windows=2", *NO_PIXELS]
STEPS = [f"train.{key}" for key in ("max_minutes=null", "steps=2", "batch_size=2", "precision=float32", "ema_decay=0")]


def random_tokenizer(config):
    """A tokenizer with random weights, so that every layer changes the codes."""
    torch.manual_seed(1)
    tokenizer = build_tokenizer(config).eval()
    for parameter in tokenizer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return tokenizer.to(torch.bfloat16).float()


def tokenise_store(*arguments) -> int:
    """Run `hwm tokenize`: its exit status."""
    return hwm("tokenize", *arguments)


def train_on(store, tokens, out, *more, tokenizer="discrete") -> int:
    """Train on `tokens` with a tokenizer of `store`, or with none: the exit status of `train`."""
    given = ["--tokenizer", str(store / tokenizer)] if tokenizer else []
    base = ["--data", str(tokens), "--out", str(out), *given, "data.actions=states", *SMALL, *STEPS]
    return hwm("train", *base, *more)
