"""Judge a checkpoint on episodes that it has never seen.

    python -m training.evaluate --checkpoint tiny                      fresh simulated episodes, by seed
    python -m training.evaluate --checkpoint runs/g1 --store store     the validation episodes of a store

writes evaluation.json, table.md and contact_sheet.png into --out.
"""

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.config import overridden
from hwm_core.data.store import open_store, require_preprocessing
from hwm_core.errors import BadInput
from hwm_core.evaluation import Evaluation, ObjectTracks
from hwm_core.evaluation.report import all_tables, markdown
from hwm_core.evaluation.showing import examples
from hwm_core.pictures import contact_sheet, write_png
from hwm_core.replay import caption, describe
from hwm_core.sampling.config import Sampling
from hwm_core.types import Episode
from hwm_core.world_model import WorldModel


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=SHIPPED, help="a checkpoint's folder, or tiny or flow_tiny, which ship")
    parser.add_argument("--store", type=Path, help="judge on the validation episodes of this store")
    parser.add_argument("--seed", type=int, help="seed of the first simulated episode")
    parser.add_argument("--episodes", type=int, default=16, help="how many are simulated (%(default)s)")
    parser.add_argument("--horizons", type=int, nargs="+", default=[8, 16, 24], help="frames ahead (%(default)s)")
    parser.add_argument("--stride", type=int, default=5, help="frames between the starts of windows (%(default)s)")
    parser.add_argument("--sampling", nargs="*", default=[], metavar="KEY=VALUE", help="steps=2 parallel=false ...")
    parser.add_argument("--samples", type=int, help="also judge a single sample, and the mean of so many")
    parser.add_argument("--drawing", nargs="*", metavar="KEY=VALUE", help="how samples are drawn (as --sampling says)")
    parser.add_argument("--batch", type=int, default=16, help="windows at a time (%(default)s)")
    parser.add_argument("--examples", type=int, default=4, help="windows on the contact sheet (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("evaluation_out"), help="folder to write (%(default)s)")
    arguments = parser.parse_args()
    try:
        evaluate(arguments)
    except BadInput as error:
        parser.error(str(error))


def evaluate(arguments: argparse.Namespace) -> None:
    """Raises BadInput for whatever the user can put right."""
    world_model = WorldModel.load(checkpoint_path(arguments.checkpoint), device=arguments.device)
    episodes, objects = _episodes(arguments, world_model)
    sampling = Sampling.parse(overridden({}, arguments.sampling), where="--sampling")
    drawing = (
        sampling if arguments.drawing is None else Sampling.parse(overridden({}, arguments.drawing), where="--drawing")
    )
    evaluation = Evaluation(
        world_model,
        episodes,
        horizons=arguments.horizons,
        stride=arguments.stride,
        sampling=sampling,
        samples=arguments.samples,
        drawing=drawing,
    )
    with tqdm(total=len(evaluation.windows), unit="window", desc="predicting") as bar:
        result = evaluation.run(
            batch=arguments.batch, objects=objects, progress=lambda done, _: bar.update(done - bar.n)
        )
    document = {
        "checkpoint": describe(world_model),
        "device": str(world_model.device),
        "episodes": [episode.name for episode in episodes],
        "settings": {
            "stride": arguments.stride,
            "sampling": sampling.plain(),
            "samples": arguments.samples,
            "drawing": drawing.plain(),
            "seed": evaluation.seed,
        },
        **all_tables(result),
    }
    title = f"{len(episodes)} episodes the model has never seen"
    pictures = examples(evaluation, result, arguments.examples)
    sheet = contact_sheet(title, caption(world_model, sampling), pictures, world_model.frame_rate_hz)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_png(arguments.out / "contact_sheet.png", sheet)
    (arguments.out / "table.md").write_text(markdown(result))
    (arguments.out / "evaluation.json").write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    print(markdown(result))
    print(f"Written to {arguments.out}: evaluation.json, table.md, contact_sheet.png")


def _episodes(
    arguments: argparse.Namespace, world_model: WorldModel
) -> tuple[list[Episode], dict[str, ObjectTracks] | None]:
    if arguments.store is None:
        from hwm_core.evaluation.simulated import FIRST_SEED, held_out  # needs GL, which a store does not

        first = FIRST_SEED if arguments.seed is None else arguments.seed
        seeds = range(first, first + arguments.episodes)
        return held_out(tqdm(seeds, unit="episode", desc="simulating"), world_model.preprocessing)
    store = open_store(arguments.store)
    require_preprocessing(store, world_model.preprocessing, arguments.store)
    return store.validation, None


if __name__ == "__main__":
    main()
