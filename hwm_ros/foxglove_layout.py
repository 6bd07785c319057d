"""The Foxglove layout for nodes in a namespace: Foxglove knows no namespaces, so the names of topics are replaced.

python3 -m hwm_ros.foxglove_layout --namespace robot1 --image-topic /robot1/camera/image_raw > robot1.foxglove.json
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory

_CAMERA = "/head_camera/image_raw"
_GLOBAL = ("/diagnostics",)
_TOPIC_KEYS = ("imageTopic", "topicPath", "value", "topicToRender")


def in_namespace(layout: Any, namespace: str, image_topic: str = "") -> Any:
    """A layout whose topics are in a namespace.

    Args:
        layout: parsed JSON.
        namespace: of the nodes, with or without slashes; empty: none.
        image_topic: full name of the camera topic; empty: that of the layout, in the namespace.
    """
    if isinstance(layout, list):
        return [in_namespace(one, namespace, image_topic) for one in layout]
    if not isinstance(layout, dict):
        return layout
    return {
        key: _renamed(one, namespace, image_topic)
        if key in _TOPIC_KEYS and isinstance(one, str)
        else in_namespace(one, namespace, image_topic)
        for key, one in layout.items()
    }


def _renamed(topic: str, namespace: str, image_topic: str) -> str:
    if topic == _CAMERA and image_topic:
        return image_topic
    prefix = namespace.strip("/")
    return topic if topic in _GLOBAL or not prefix else f"/{prefix}{topic}"


def main(arguments: list[str] | None = None) -> int:
    """Print the shipped layout for a namespace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespace", default="", help="namespace of the nodes")
    parser.add_argument("--image-topic", default="", help="full name of the camera topic")
    options = parser.parse_args(arguments)
    path = Path(get_package_share_directory("hwm_ros")) / "config" / "world_model.foxglove.json"
    layout = json.loads(path.read_text(encoding="utf-8"))
    json.dump(in_namespace(layout, options.namespace, options.image_topic), sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
