"""Evaluate checkpoints on episodes held out from training."""

import argparse
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from hwm_core.assets import checkpoint_path
from hwm_core.config import overridden
from hwm_core.data.episodes.store import open_store, require_preprocessing
from hwm_core.errors import BadConfig
from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation, labels
from hwm_core.evaluation.config import PROTOCOLS, EvaluationConfig, protocol_sampling
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.report_files import folder_of, write_reports
from hwm_core.io.atomic import new_file
from hwm_core.io.resumable import ResumableResults
from hwm_core.metrics.extractors import Extractor, load_extractor, metric_names
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable, or_unavailable
from hwm_core.sim.seeds import FIRST_SEED
from hwm_core.types import Episode
from hwm_core.world_model.model import WorldModel

from .devices import own_device
from .metric_networks import kind_and_file, open_lpips


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate this rank's batches; the last rank writes the files. Raises BadInput for errors of the user."""
    if not 0 <= options.rank < options.world_size or (options.from_scratch and options.world_size > 1):
        raise BadConfig(
            "ranks",
            expected="0 <= rank < world size; with --from-scratch a single rank",
            got=f"rank {options.rank} of {options.world_size}",
            remedy="Correct --rank and --world-size; with several ranks, delete the folder by hand.",
        )
    paths = [checkpoint_path(checkpoint) for checkpoint in options.checkpoint]
    device = own_device(options.device)
    world_models = [
        WorldModel.load(path, device=device, dtype=options.dtype, tokenizer=options.tokenizer) for path in paths
    ]
    configs = [_config(options, model.family) for model in world_models]  # checked before minutes of simulation
    episodes, objects, source = _episodes(options, world_models)
    extractors, missing = _extractors(options, device)
    lpips = _lpips(options, device)
    evaluations = [
        Evaluation(
            model,
            episodes,
            config,
            objects=objects,
            extractors=extractors,
            lpips=lpips,
            compared_with=world_models,
        )
        for model, config in zip(world_models, configs, strict=True)
    ]
    for unavailable in (*missing, *evaluations[0].unavailable):
        print(unavailable)  # before hours of prediction
    evaluated = {
        label: (of, _evaluate_rank(of, label, options))
        for label, of in zip(labels(world_models), evaluations, strict=True)
    }
    # Checked only after this rank is done with every checkpoint: so the last rank finds all of them complete.
    if not all(evaluation.is_complete(partial_results) for evaluation, partial_results in evaluated.values()):
        print(f"Rank {options.rank} is done; the last rank to finish writes the files.")
        return 0
    results = [
        CheckpointEvaluation(label, options.protocol, source, evaluation, evaluation.result(partial_results), missing)
        for label, (evaluation, partial_results) in evaluated.items()
    ]
    _, first = next(iter(evaluated.values()))
    with first.lock():
        written = write_reports(options.out, results, options.examples)
        if options.card_in_checkpoint:
            for path, one in zip(paths, results, strict=True):
                _copy_card(folder_of(options.out, one.label, len(results)), path)
    for one in results:
        print(f"{one.label}\n\n{one.markdown()}")
    print("Written:", *written, sep="\n  ")
    return 0


def _evaluate_rank(evaluation: Evaluation, label: str, options: argparse.Namespace) -> ResumableResults:
    """Evaluate the batches of this rank; the results are stored in the folder of the checkpoint."""
    folder = folder_of(options.out, label, len(options.checkpoint)) / "windows"
    if options.from_scratch:
        shutil.rmtree(folder, ignore_errors=True)
    partial_results = ResumableResults(folder, evaluation.identity())
    partial_results.begin()
    with tqdm(unit="window", desc=f"predicting by {label}") as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        evaluation.evaluate(partial_results, rank=options.rank, ranks=options.world_size, progress=progress)
    return partial_results


def _copy_card(folder: Path, checkpoint: Path) -> None:
    card = folder / "MODEL_CARD.md"
    with new_file(checkpoint / card.name) as partial_card:
        shutil.copyfile(card, partial_card)


def _config(options: argparse.Namespace, family: str) -> EvaluationConfig:
    """The settings for a model of a family."""
    given = {name: getattr(options, name) for name in ("conditions", "horizons", "stride", "max_windows", "samples")}
    stochastic = None if options.stochastic_sampling is None else overridden({}, options.stochastic_sampling)
    return EvaluationConfig.parse(
        {
            "sensitivity": options.sensitivity,
            "ssim": not options.no_ssim,
            "tokens": True,
            "batch": options.batch,
            "seed": options.sampling_seed,
            "sampling": overridden(protocol_sampling(options.protocol, family).plain(), options.sampling),
            "stochastic_sampling": stochastic,
            **PROTOCOLS[options.protocol],
            **{name: value for name, value in given.items() if value is not None},
        },
        where="evaluate",
    )


def _extractors(options: argparse.Namespace, device: torch.device) -> tuple[list[Extractor], tuple[Unavailable, ...]]:
    """The requested networks, and the metrics whose file is missing. The protocol `paper` always requests FID."""
    requested = [kind_and_file(text) for text in options.extractor]
    if options.protocol == "paper" and "inception" not in dict(requested):
        requested.append(("inception", None))
    extractors: list[Extractor] = []
    missing: list[Unavailable] = []
    for kind, path in requested:
        metrics = metric_names(kind, Path(path or "").stem)
        found = or_unavailable(metrics[0], partial(load_extractor, kind, path, device))
        if isinstance(found, Unavailable):
            missing += [replace(found, metric=metric) for metric in metrics]
        else:
            extractors.append(found)
    return extractors, tuple(missing)


def _lpips(options: argparse.Namespace, device: torch.device) -> Lpips | Unavailable | None:
    """The requested network, or why it is missing; None if LPIPS is not requested."""
    if options.lpips is None:
        return None
    return open_lpips(options.lpips, device)


def _episodes(
    options: argparse.Namespace, world_models: list[WorldModel]
) -> tuple[list[Episode], dict[str, ObjectTracks] | None, str]:
    """The episodes, their object tracks if they are simulated, and a phrase that describes their source."""
    if options.store is not None:
        store = open_store(options.store)
        for world_model in world_models:
            require_preprocessing(store, world_model.preprocessing, options.store)
        return store.validation, None, f"the validation episodes of the store `{options.store.name}`"
    from hwm_core.evaluation.simulated import held_out  # needs GL, which a store does not

    for world_model in world_models[1:]:
        if world_model.preprocessing != world_models[0].preprocessing:
            expected, got = world_models[0].preprocessing.differences(world_model.preprocessing)
            raise BadConfig(
                "Checkpoints to compare",
                expected=f"the preprocessing of {world_models[0].name}, {expected}",
                got=f"{got} of {world_model.name}",
                remedy="Evaluate checkpoints with different preprocessing separately.",
            )
    first = FIRST_SEED["held_out"] if options.seed is None else options.seed
    seeds = range(first, first + options.episodes)
    bar = tqdm(seeds, unit="episode", desc="simulating")
    return *held_out(bar, world_models[0].preprocessing), f"simulated episodes of the seeds {first} to {seeds[-1]}"
