"""Look at recordings and data sets, convert them, and check them.

    python -m training.data inspect recordings --embodiment unitree_g1_inspire --sheets sheets
    python -m training.data inspect world_model_tokenized_data --embodiment 1x_eve
    python -m training.data verify g1_yellow_bottle
    python -m training.data split g1_yellow_bottle --nth 5 --out split.yaml
    python -m training.data statistics g1_yellow_bottle --robot g1 --out g1.yaml
    python -m training.data convert recordings --to lerobot-v3.0 --out set
    python -m training.data tokenise store --tokenizer runs/tokenizer/tokenizer --latents 5 --stride 1 --out tokens
    python -m training.data tokenise recordings --tokenizer runs/tokenizer/tokenizer --out tokens --prepare --robot g1

What trains on pictures is made by training.prepare_data.
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import yaml
from tqdm import tqdm

from hwm_core.data.checks.inspection import inspect
from hwm_core.data.checks.token_inspection import inspect_tokens
from hwm_core.data.checks.verification import Finding, is_store, verify_metadata, verify_recording
from hwm_core.data.discover import Found, data_sets, joined, recordings_in, search_recordings
from hwm_core.data.episodes.prepare import measure_manifests, undeclared_units
from hwm_core.data.episodes.split import split_by_number, split_by_share
from hwm_core.data.episodes.store import Split, manifest_path, open_store
from hwm_core.data.lerobot.export import LeRobotOptions, write_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.versions import Version, convert_version
from hwm_core.data.recording.recording import Recording, number_in, require_unique_names
from hwm_core.data.recording.video_reader import Codec
from hwm_core.data.robot.embodiment import embodiment_names, read_embodiment, union
from hwm_core.data.robot.limits import Joint, Robot, read_robot
from hwm_core.data.rosbag2.export import write_bags
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import count_value_warnings, find_token_sets, open_episodes
from hwm_core.data.tokens.spec import spec_of
from hwm_core.data.tokens.store import manifest_sha256
from hwm_core.data.tokens.tokenise import TokeniseOptions, require_tokenisable, tokenise
from hwm_core.errors import BadBag, BadConfig, BadInput
from hwm_core.io.atomic import new_file
from hwm_core.types import Episode
from hwm_core.visualization.canvas import write_png
from hwm_core.visualization.thumbnails import thumbnail_sheet
from hwm_core.world_model.checkpoint import load_tokenizer
from training import prepare_data
from training.devices import own_device
from training.inspected import of_recording, of_tokens
from training.numbers import positive
from training.paths import paths_told

Named = TypeVar("Named", Recording, TokenEpisode)


def main() -> int:
    """Run the command line. Exit status 0: done; 1: faults were found, or recordings left out; 2: bad input."""
    options = _parse()
    try:
        with paths_told():
            return options.run(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2


def _inspect(options: argparse.Namespace) -> int:
    """Measure each recording or set of tokens, and draw what has pictures."""
    joint = _joint(options)
    sets, found_here = _sources(options)
    recordings = found_here.recordings
    if options.sheets:
        require_unique_names(recordings)
    faults = _tell_left_out(found_here)
    for path in (*sets, *data_sets(recordings)):
        for warning in count_value_warnings(path):
            print(f"{path}: {warning}")
    for path in sets:
        try:
            bar = tqdm(_chosen(options, open_episodes(path)), unit="episode", disable=None)
            found_tokens = inspect_tokens(str(path), bar, joint)
        except BadInput as fault:
            faults += 1
            print(f"{path}: {fault}", file=sys.stderr)
            continue
        print(*of_tokens(found_tokens, options.dimensions), sep="\n")
        if options.sheets:
            print("  no sheet: tokens hold no pictures")
    for recording in recordings:
        try:
            found = inspect(recording, joint)
        except BadInput as fault:
            faults += 1
            print(f"{recording.name}: {fault}", file=sys.stderr)
            continue
        print(*of_recording(found, options.dimensions), sep="\n")
        if options.sheets:
            sheet = thumbnail_sheet(found.name, found.remarks(), found.thumbnails, found.thumbnail_s)
            with new_file(options.sheets / f"{found.name}.png") as partial:
                write_png(partial, sheet)
    return 1 if faults else 0


def _verify(options: argparse.Namespace) -> int:
    """Read everything and say what is wrong with it."""
    findings: list[Finding] = []
    for source in options.sources:
        without_pictures = find_token_sets(source) or is_store(source)
        if without_pictures:
            findings += verify_metadata(source)
        search = recordings_in if without_pictures else search_recordings
        found = search(source, _topics(options), options.camera, options.stamps)
        findings += [Finding("fault", path.name, str(fault)) for path, fault in found.damaged]
        for dataset in data_sets(found.recordings):
            findings += verify_metadata(dataset)
        for recording in tqdm(found.recordings, unit="recording", disable=None):
            findings += verify_recording(recording)
    for one in findings:
        print(f"{one.level}: {one.where}: {one.text}")
    faults = sum(one.level == "fault" for one in findings)
    print(f"{faults} faults, {len(findings) - faults} notes")
    return 1 if faults else 0


def _split(options: argparse.Namespace) -> int:
    """Choose what is kept from training."""
    found = _recordings(options)
    recordings = found.usable()
    split = (
        split_by_number(recordings, options.nth)
        if options.nth
        else split_by_share(recordings, options.share, options.seed)
    )
    with new_file(options.out) as partial:
        partial.write_text(yaml.safe_dump(split.plain(), sort_keys=False))
    print(f"{options.out}: {len(split.training)} to train on, {len(split.validation)} to validate")
    return 1 if _tell_left_out(found) else 0


def _statistics(options: argparse.Namespace) -> int:
    """Measure the joints of all recordings and tokens together, as action manifests."""
    embodiment = union([read_embodiment(name) for name in options.embodiment]) if options.embodiment else None
    robot = embodiment.description() if embodiment else read_robot(options.robot)
    sets, found = _sources(options)
    if found.damaged:  # of a part no one asked for, the statistics would be
        raise found.damaged[0][1]
    tokens = [one for path in sets for one in _chosen(options, open_episodes(path))]
    sources = tqdm([*tokens, *found.recordings], unit="recording", disable=None)
    manifests = measure_manifests(sources, robot, embodiment)
    for kind, manifest in manifests.items():
        print(f"{kind} of {manifest.robot}")
        for row in zip(manifest.names, manifest.units, manifest.lower, manifest.upper, manifest.mean, manifest.std):
            name, unit, lower, upper, mean, std = row
            still = manifest.constant[manifest.names.index(name)]
            print(
                f"  {name:28} {unit:6} {lower:+9.3f} to {upper:+9.3f}  mean {mean:+9.3f}  "
                + ("constant" if still else f"std {std:.4f}")
            )
    for warning in undeclared_units(manifests, robot):
        print(warning)
    if options.out:
        with new_file(options.out) as partial:
            partial.write_text(yaml.safe_dump({kind: one.plain() for kind, one in manifests.items()}, sort_keys=False))
    return 0


def _convert(options: argparse.Namespace) -> int:
    """To another format; what is lost, and what was left out, is printed."""
    found = _recordings(options)
    recordings = found.usable()
    if options.to == "rosbag2":
        shown = partial(tqdm, unit="recording", disable=None)
        done = write_bags(recordings, options.out, _topics(options), options.form, shown)
    else:
        version = cast(Version, options.to.removeprefix("lerobot-"))
        cameras = {one.dataset.path: one.dataset.cameras for one in recordings if isinstance(one, LeRobotRecording)}
        whole = len(cameras) == 1 and all(isinstance(one, LeRobotRecording) for one in recordings)
        one_of_several = None if (options.camera,) in cameras.values() else options.camera
        asked = (options.codec, options.episodes, options.fps, options.task, options.robot, one_of_several)
        if whole and all(one is None for one in asked):
            # From one version to the other nothing is decoded: all cameras and columns go along.
            done = convert_version(next(iter(cameras)), options.out, version)
        else:
            chosen = LeRobotOptions.parse(
                {
                    "version": version,
                    "fps": options.fps,
                    "codec": options.codec or "av1",
                    "task": options.task,
                    "robot": options.robot,
                },
                where="convert",
            )
            done = write_lerobot(recordings, options.out, chosen)
    made = len(recordings) - len(done.left_out) - len(done.kept)
    print(f"{options.out}: {made} recordings as {options.to}")
    if done.kept:
        print(f"already there, kept as made before, whatever the options: {', '.join(done.kept)}")
    for loss in done.losses:
        print(f"  lost: {loss}")
    for one in done.left_out:
        print(f"left out {one}", file=sys.stderr)
    return 1 if _tell_left_out(found) or done.left_out else 0


def _tokenise(options: argparse.Namespace) -> int:
    """Pictures to codes, both splits: a store's, or with --prepare those of bags, data sets and videos."""
    options.device = own_device(options.device)
    chosen = TokeniseOptions.parse(
        {key: getattr(options, key) for key in TokeniseOptions.model_fields}, where="tokenise"
    )
    tokenizer = load_tokenizer(options.tokenizer, options.device)
    if getattr(tokenizer, "wants_statistics", False):
        raise BadConfig(
            f"--tokenizer {options.tokenizer}",
            expected="one with statistics of its latents",
            got="a download without any",
            remedy="Train over it on the store first; the checkpoint's folder is then the tokenizer to name.",
        )
    store = open_store(_only_store(options) if options.prepare is None else _prepared(options))
    both: dict[Split, list[Episode]] = {"training": store.training, "validation": store.validation}
    sides = {split: episodes for split, episodes in both.items() if episodes}
    belongs: dict[str, Any] = {
        "spec": spec_of(tokenizer),
        "options": chosen,
        "manifests": {kind: manifest_sha256(manifest) for kind, manifest in store.manifests.items()},
    }
    for split, episodes in sides.items():  # both, before the first byte is written
        require_tokenisable(episodes, store.preprocessing, options.out / split, **belongs)
    for kind, manifest in store.manifests.items():
        with new_file(manifest_path(options.out, kind), options.rank) as partial:
            partial.write_text(yaml.safe_dump(manifest.plain(), sort_keys=False))
    for split, episodes in sides.items():
        outcomes = tokenise(episodes, store.preprocessing, tokenizer, options.out / split, **belongs)
        mine = len(range(options.rank, len(episodes), options.world_size))
        told = list(tqdm(outcomes, total=mine, unit="episode", disable=None))
        clips, left_out = sum(one.clips for one in told), sum(one.left_out for one in told)
        share = "" if options.world_size == 1 else f", share {options.rank + 1} of {options.world_size}"
        print(f"{options.out / split}: {clips} clips of {mine} episodes; {left_out} frames fill no clip{share}")
    return 0


def _only_store(options: argparse.Namespace) -> Path:
    if len(options.sources) > 1:
        raise BadConfig(
            "tokenise",
            expected="one store, or recordings with --prepare",
            got=", ".join(map(str, options.sources)),
            remedy="Tokenise stores one by one; of recordings add --prepare and the options of training.prepare_data.",
        )
    return options.sources[0]


def _prepared(options: argparse.Namespace) -> Path:
    """The store of the sources, beside their tokens; what is there already is kept."""
    if options.world_size > 1:
        raise BadConfig(
            "--prepare",
            expected="one process",
            got=f"{options.world_size}",
            remedy="Prepare with one process first (training.prepare_data), and share out the store's episodes.",
        )
    store = options.out / "store"
    words = [*map(str, options.sources), "--out", str(store), *options.prepare]
    if prepare_data.main(words) == 2:
        raise BadBag("--prepare", expected="recordings to make a store of", got="the error above", remedy="Mend it.")
    return store


def _joint(options: argparse.Namespace) -> Callable[[str], Joint] | None:
    """Units and limits by the names robots publish."""
    if options.embodiment:
        embodiment = union([read_embodiment(name) for name in options.embodiment])
        robot: Robot = embodiment.description()
        return lambda name: robot.joint(embodiment.aliases.get(name, name))
    return read_robot(options.robot).joint if options.robot else None


def _recordings(options: argparse.Namespace) -> Found:
    topics = _topics(options)
    found = joined(search_recordings(source, topics, options.camera, options.stamps) for source in options.sources)
    return Found(_chosen(options, found.usable()), found.damaged)


def _sources(options: argparse.Namespace) -> tuple[list[Path], Found]:
    """Sets of tokens, and recordings."""
    sets: list[Path] = []
    parts: list[Found] = []
    for source in options.sources:
        below = find_token_sets(source)
        search = recordings_in if below else search_recordings
        sets += below
        parts.append(search(source, _topics(options), options.camera, options.stamps))
    found = joined(parts)
    recordings = found.recordings if sets else found.usable()
    return sets, Found(_chosen(options, recordings) if recordings else [], found.damaged)


def _tell_left_out(found: Found) -> int:
    """Name the data sets that are damaged; returns how many."""
    for one in found.left_out():
        print(f"left out {one}", file=sys.stderr)
    return len(found.damaged)


def _chosen(options: argparse.Namespace, found: list[Named]) -> list[Named]:
    """Those of the numbers asked for. Raises BadBag where there is none."""
    if not options.episodes:
        return found
    some = [one for one in found if number_in(one.name) in options.episodes]
    if not some:
        raise BadBag("Recordings", expected=f"numbers {options.episodes}", got="none of them", remedy="Check them.")
    return some


def _topics(options: argparse.Namespace) -> Topics:
    return Topics(image=options.image_topic, joint_states=options.joint_topic, commands=options.command_topic)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        one.set_defaults(run=run)
        return one

    described = command("inspect", _inspect)
    _add_sources(described)
    _add_robot(described, required=False)
    described.add_argument("--sheets", type=Path, help="folder for a contact sheet of each")
    described.add_argument("--dimensions", action="store_true", help="list every joint")
    _add_sources(command("verify", _verify))
    split = command("split", _split)
    _add_sources(split)
    how = split.add_mutually_exclusive_group(required=True)
    how.add_argument("--nth", type=positive, help="keep those whose number N divides")
    how.add_argument("--share", type=float, help="keep about this share, drawn by name")
    split.add_argument("--seed", type=int, default=0, help="of the draw (%(default)s)")
    split.add_argument("--out", type=Path, required=True, help="file, for training.prepare_data --split")
    statistics = command("statistics", _statistics)
    _add_sources(statistics)
    _add_robot(statistics, required=True)
    statistics.add_argument("--out", type=Path, help="YAML file of the manifests")
    convert = command("convert", _convert)
    _add_sources(convert)
    convert.add_argument("--to", required=True, choices=("rosbag2", "lerobot-v2.1", "lerobot-v3.0"))
    convert.add_argument("--out", type=Path, required=True, help="new folder; of bags: those there are kept")
    convert.add_argument(
        "--form", choices=("jpeg", "png", "raw"), default="jpeg", help="pictures in bags (%(default)s)"
    )
    convert.add_argument("--codec", choices=get_args(Codec), help="pictures in LeRobot (av1; between versions: copied)")
    convert.add_argument("--fps", type=float, help="of a LeRobot dataset; default: the camera's")
    convert.add_argument("--task", help="what was done, for LeRobot; default: as the source says")
    convert.add_argument("--robot", help="its name, for LeRobot; default: as the source says")
    tokens = command("tokenise", _tokenise)
    tokens.add_argument(
        "sources", nargs="+", type=Path, help="a store, made by training.prepare_data; or recordings, with --prepare"
    )
    tokens.add_argument(
        "--prepare",
        nargs=argparse.REMAINDER,
        metavar="OPTION",
        help="last: of recordings, the options of training.prepare_data but --out; their store is OUT/store",
    )
    tokens.add_argument("--tokenizer", type=Path, required=True, help="folder of a trained one")
    tokens.add_argument("--out", type=Path, required=True, help="run again to go on")
    tokens.add_argument("--latents", type=int, default=3, help="of a clip (%(default)s)")
    tokens.add_argument(
        "--stride", type=int, help="frames between the starts of clips: a cache to train on; default: 1X's layout"
    )
    tokens.add_argument("--exact", action="store_true", help="latents in float32, twice as large; default: float16")
    tokens.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16", help="%(default)s")
    tokens.add_argument("--rank", type=int, default=int(os.environ.get("RANK", "0")), help="or as torchrun says")
    tokens.add_argument("--world-size", type=int, default=int(os.environ.get("WORLD_SIZE", "1")), help="processes")
    tokens.add_argument("--batch", type=int, default=8, help="clips at once (%(default)s)")
    tokens.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    return parser.parse_args()


def _add_sources(parser: argparse.ArgumentParser) -> None:
    topics = Topics()
    parser.add_argument("sources", nargs="+", type=Path, help="bags, data sets, videos with tables, tokens, or folders")
    parser.add_argument("--episodes", type=int, nargs="+", help="numbers; default: all")
    parser.add_argument("--camera", help="video key, where a LeRobot dataset has several")
    parser.add_argument("--image-topic", default=topics.image, help="or its /compressed (%(default)s)")
    parser.add_argument("--joint-topic", default=topics.joint_states, help="%(default)s")
    parser.add_argument("--command-topic", default=topics.commands, help="%(default)s")
    parser.add_argument("--stamps", choices=("header", "receive"), default="header", help="what times messages")


def _add_robot(parser: argparse.ArgumentParser, required: bool) -> None:
    robot = parser.add_mutually_exclusive_group(required=required)
    robot.add_argument("--robot", help="YAML file of its joints (units, limits), or just its name")
    robot.add_argument("--embodiment", nargs="+", help=f"{', '.join(embodiment_names())}, or YAML files")


if __name__ == "__main__":
    sys.exit(main())
