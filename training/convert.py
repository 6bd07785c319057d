"""LeRobot v2 episodes into rosbag2 folders, one each.

python -m training.convert g1_yellow_bottle --episodes 5 15 --out bags
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from hwm_core.data.bag import Topics
from hwm_core.data.lerobot import episode_name, lerobot_to_rosbag2, open_lerobot
from hwm_core.errors import BadInput


def main() -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    options = _parse()
    topics = Topics(image=options.image_topic, joint_states=options.joint_topic, commands=options.command_topic)
    try:
        dataset = open_lerobot(options.dataset)
        for number in tqdm(options.episodes or dataset.episodes, unit="episode"):
            bag = options.out / episode_name(dataset, number)
            if not bag.exists():
                lerobot_to_rosbag2(dataset, number, bag, topics, options.camera, options.form)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parse() -> argparse.Namespace:
    topics = Topics()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="LeRobot v2.0 or v2.1 folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the bags; those there are kept")
    parser.add_argument("--episodes", type=int, nargs="+", help="numbers; default: all")
    parser.add_argument("--camera", help="video key, where the dataset has several")
    parser.add_argument("--form", choices=("jpeg", "png", "raw"), default="jpeg", help="of pictures (%(default)s)")
    parser.add_argument("--image-topic", default=topics.image, help="jpeg and png: its /compressed (%(default)s)")
    parser.add_argument("--joint-topic", default=topics.joint_states, help="%(default)s")
    parser.add_argument("--command-topic", default=topics.commands, help="%(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
