"""Judge checkpoints on episodes kept from their training.

    python -m training.evaluate --checkpoint tiny                      fresh simulated episodes, by seed
    python -m training.evaluate --checkpoint runs/g1 --store store     the validation episodes of a store
    python -m training.evaluate --checkpoint a b --store store         side by side, on the same windows

writes evaluation.json, table.md, evaluation.html, contact_sheet.png and MODEL_CARD.md into --out. What was judged is
kept in --out too: stopped and started again, it goes on. Ranks (torchrun, or --rank and --world-size) share one --out,
and the last to finish writes the files.
"""

import argparse
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.config import overridden
from hwm_core.data.episodes.store import open_store, require_preprocessing
from hwm_core.errors import BadConfig, BadInput
from hwm_core.evaluation import Evaluation, EvaluationConfig, ObjectTracks
from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation, labels
from hwm_core.evaluation.config import PROTOCOLS
from hwm_core.evaluation.report_files import folder_of, write_reports
from hwm_core.io.atomic import new_file
from hwm_core.io.resumable import ResumableResults
from hwm_core.metrics.extractors import Extractor, load_extractor, metric_names
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable, or_unavailable
from hwm_core.types import Episode
from hwm_core.world_model.model import WorldModel
from training.command_line import path_errors, positive
from training.devices import own_device


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--checkpoint", nargs="+", default=[SHIPPED], help="checkpoints' folders, or tiny or flow_tiny, which ship"
    )
    parser.add_argument("--tokenizer", type=Path, help="folder of an external tokenizer that has moved")
    parser.add_argument("--store", type=Path, help="judge on the validation episodes of this store")
    parser.add_argument("--seed", type=int, help="seed of the first simulated episode")
    parser.add_argument("--episodes", type=positive, default=16, help="how many are simulated (%(default)s)")
    parser.add_argument("--protocol", choices=list(PROTOCOLS), default="horizon", help="what is judged (%(default)s)")
    parser.add_argument("--horizons", type=int, nargs="+", help="frames ahead (8 16 24; paper: 8)")
    parser.add_argument("--stride", type=int, help="frames between the starts of windows (5; paper: 8)")
    parser.add_argument("--max-windows", type=int, help="of more windows judge so many, spread evenly")
    parser.add_argument("--sampling", nargs="*", default=[], metavar="KEY=VALUE", help="steps=2 parallel=false ...")
    parser.add_argument("--samples", type=int, help="also judge a single sample, and the mean of so many")
    parser.add_argument(
        "--stochastic-sampling", nargs="*", metavar="KEY=VALUE", help="of --samples (as --sampling): steps=4 ..."
    )
    parser.add_argument(
        "--sampling-seed", type=int, default=0, help="of sampling, and of shuffled actions (%(default)s)"
    )
    parser.add_argument("--sensitivity", type=int, default=16, help="windows to disturb joints in (%(default)s)")
    parser.add_argument("--no-ssim", action="store_true", help="leave out structural similarity, which takes time")
    parser.add_argument(
        "--extractor",
        nargs="+",
        default=[],
        metavar="KIND=FILE",
        help="networks for FID, KID, FVD, FD: docs/evaluation.md",
    )
    parser.add_argument("--lpips", metavar="KIND=FILE", help="network for LPIPS: vgg16 or script, docs/evaluation.md")
    parser.add_argument("--batch", type=int, default=16, help="windows at a time (%(default)s)")
    parser.add_argument("--examples", type=positive, default=4, help="windows on the contact sheet (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--rank", type=int, default=int(os.environ.get("RANK", "0")), help="this process's share")
    parser.add_argument("--world-size", type=int, default=int(os.environ.get("WORLD_SIZE", "1")), help="of so many")
    parser.add_argument("--out", type=Path, default=Path("evaluation_out"), help="folder to write (%(default)s)")
    parser.add_argument("--from-scratch", action="store_true", help="forget what was judged in --out")
    parser.add_argument("--card-beside", action="store_true", help="a model card into the checkpoint's folder, too")
    arguments = parser.parse_args()
    try:
        with path_errors():
            evaluate(arguments)
    except BadInput as error:
        parser.error(str(error))


def evaluate(arguments: argparse.Namespace) -> None:
    """Raises BadInput for whatever the user can put right."""
    if not 0 <= arguments.rank < arguments.world_size or (arguments.from_scratch and arguments.world_size > 1):
        raise BadConfig(
            "ranks",
            expected="0 <= rank < world size, and one rank to begin anew",
            got=f"rank {arguments.rank} of {arguments.world_size}",
            remedy="Correct them, or remove the folder.",
        )
    paths = [checkpoint_path(checkpoint) for checkpoint in arguments.checkpoint]
    device = own_device(arguments.device)
    world_models = [WorldModel.load(path, device=device, tokenizer=arguments.tokenizer) for path in paths]
    episodes, objects, source = _episodes(arguments, world_models)
    config = _config(arguments)
    extractors, missing = _extractors(arguments, device)
    lpips = _lpips(arguments, device)
    evaluations = [
        Evaluation(model, episodes, config, objects=objects, extractors=extractors, lpips=lpips, beside=world_models)
        for model in world_models
    ]
    for absent in (*missing, *evaluations[0].unavailable):
        print(absent)  # now, not after hours of prediction
    evaluated = []
    for label, evaluation in zip(labels(world_models), evaluations, strict=True):
        folder = folder_of(arguments.out, label, len(evaluations)) / "windows"
        if arguments.from_scratch:
            shutil.rmtree(folder, ignore_errors=True)
        partial_results = ResumableResults(folder, evaluation.identity())
        partial_results.begin()
        with tqdm(unit="window", desc=f"predicting by {label}") as bar:

            def progress(done: int, of: int, bar: tqdm = bar) -> None:
                bar.total = of
                bar.update(done - bar.n)

            evaluation.evaluate(partial_results, rank=arguments.rank, ranks=arguments.world_size, progress=progress)
        evaluated.append((label, evaluation, partial_results))
    # Only now, when this rank is done with every checkpoint: the last rank finds all of them complete.
    if not all(evaluation.is_complete(partial_results) for _, evaluation, partial_results in evaluated):
        print(f"Rank {arguments.rank} is done; the last one writes the files.")
        return
    results = [
        CheckpointEvaluation(label, arguments.protocol, source, evaluation, evaluation.result(partial_results), missing)
        for label, evaluation, partial_results in evaluated
    ]
    with evaluated[0][2].lock():
        written = write_reports(arguments.out, results, arguments.examples)
        for path, one in zip(paths, results, strict=True):
            if arguments.card_beside:
                card = folder_of(arguments.out, one.label, len(results)) / "MODEL_CARD.md"
                with new_file(path / card.name) as partial_card:
                    shutil.copyfile(card, partial_card)
    for one in results:
        print(f"{one.label}\n\n{one.markdown()}")
    print("Written:", *written, sep="\n  ")


def _config(arguments: argparse.Namespace) -> EvaluationConfig:
    given = {name: getattr(arguments, name) for name in ("horizons", "stride", "max_windows", "samples")}
    stochastic = None if arguments.stochastic_sampling is None else overridden({}, arguments.stochastic_sampling)
    return EvaluationConfig.parse(
        {
            "sensitivity": arguments.sensitivity,
            "ssim": not arguments.no_ssim,
            "tokens": True,
            "batch": arguments.batch,
            "seed": arguments.sampling_seed,
            "sampling": overridden({}, arguments.sampling),
            "stochastic_sampling": stochastic,
            **PROTOCOLS[arguments.protocol],
            **{name: value for name, value in given.items() if value is not None},
        },
        where="evaluate",
    )


def _extractors(arguments: argparse.Namespace, device: torch.device) -> tuple[list[Extractor], tuple[Unavailable, ...]]:
    """Those named, and what is unavailable for want of a file. The protocol of the paper wants FID, named or not."""
    named = [_kind_and_file(text) for text in arguments.extractor]
    if arguments.protocol == "paper" and "inception" not in dict(named):
        named.append(("inception", None))
    extractors: list[Extractor] = []
    missing: list[Unavailable] = []
    for kind, path in named:
        metrics = metric_names(kind, Path(path or "").stem)
        found = or_unavailable(metrics[0], partial(load_extractor, kind, path, device))
        if isinstance(found, Unavailable):
            missing += [replace(found, metric=metric) for metric in metrics]
        else:
            extractors.append(found)
    return extractors, tuple(missing)


def _lpips(arguments: argparse.Namespace, device: torch.device) -> Lpips | Unavailable | None:
    """The one named."""
    if arguments.lpips is None:
        return None
    return or_unavailable("LPIPS", partial(Lpips, *_kind_and_file(arguments.lpips), device))


def _kind_and_file(text: str) -> tuple[str, str | None]:
    kind, _, path = text.partition("=")
    return kind, path or None


def _episodes(
    arguments: argparse.Namespace, world_models: list[WorldModel]
) -> tuple[list[Episode], dict[str, ObjectTracks] | None, str]:
    """The episodes, where the objects were in them, and where they come from in words."""
    if arguments.store is not None:
        store = open_store(arguments.store)
        for world_model in world_models:
            require_preprocessing(store, world_model.preprocessing, arguments.store)
        return store.validation, None, f"the validation episodes of the store `{arguments.store.name}`"
    from hwm_core.evaluation.simulated import FIRST_SEED, held_out  # needs GL, which a store does not

    for world_model in world_models[1:]:
        if world_model.preprocessing != world_models[0].preprocessing:
            raise BadConfig(
                "Checkpoints to compare",
                expected=f"the preprocessing {world_models[0].preprocessing.plain()}",
                got=f"{world_model.preprocessing.plain()} of {world_model.name}",
                remedy="Judge checkpoints of unlike cameras one by one.",
            )
    first = FIRST_SEED if arguments.seed is None else arguments.seed
    seeds = range(first, first + arguments.episodes)
    bar = tqdm(seeds, unit="episode", desc="simulating")
    return *held_out(bar, world_models[0].preprocessing), f"simulated episodes of the seeds {first} to {seeds[-1]}"


if __name__ == "__main__":
    main()
