"""Random variation of the scene between episodes: its appearance and the object positions."""

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray

OBJECTS = ("red_box", "green_cylinder", "blue_box")
ROOM = {  # geoms -> their possible materials, and the ranges of hue, saturation and value
    ("table_top",): (("table_plain", "table_fade", "table_tiles"), ((0.05, 0.12), (0.10, 0.45), (0.60, 0.90))),
    ("floor",): (("floor_plain", "floor_tiles"), ((0.0, 1.0), (0.0, 0.12), (0.35, 0.65))),
    ("wall", "left_wall", "right_wall"): (("wall_plain", "wall_fade"), ((0.0, 1.0), (0.03, 0.20), (0.65, 0.92))),
}
_AREA = ((0.36, 0.60), (-0.26, 0.26))  # start positions of objects, x and y in metres
_CLEARANCE = 0.125  # smallest distance in metres between the centres of two objects, or of an object and a palm


def vary_appearance(model: Any, rng: np.random.Generator) -> None:
    """Choose random materials, colours and lights, in place.

    Objects keep their hue within 10 degrees, so that the red box stays red. The table has the colours of wood; walls
    and floor are pale.
    """
    for geoms, (materials, palette) in ROOM.items():
        material = rng.choice(materials)
        colour = np.array(colorsys.hsv_to_rgb(*(rng.uniform(*span) for span in palette)))
        for geom in geoms:
            model.geom_matid[model.geom(geom).id] = model.material(material).id
        model.mat_rgba[model.material(material).id, :3] = colour
        if "table_top" in geoms:
            model.mat_rgba[model.material("rim").id, :3] = 0.62 * colour
    for name in OBJECTS:
        rgba = model.mat_rgba[model.material(name).id]
        rgba[:3] = _near(rgba[:3], rng)
    key, fill = model.light("key").id, model.light("fill").id
    model.light_diffuse[key] *= rng.uniform(0.75, 1.15) * rng.uniform(0.94, 1.06, 3)
    model.light_diffuse[fill] *= rng.uniform(0.6, 1.3)
    model.light_dir[key] += rng.uniform((-0.25, -0.35, 0.0), (0.25, 0.5, 0.0))


def place_objects(
    palms: NDArray[np.float64], half_heights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Place the objects on the table, with a distance from each other and from the palms [m, 3].

    Returns:
        Poses [n, 7]: position in metres, quaternion wxyz.
    """
    taken = [palm[:2] for palm in palms]
    poses = []
    for half_height in half_heights:
        xy = next(xy for xy in _random_positions(rng) if all(np.hypot(*(xy - other)) > _CLEARANCE for other in taken))
        taken.append(xy)
        half_turn = 0.5 * rng.uniform(-np.pi, np.pi)
        poses.append((*xy, half_height, np.cos(half_turn), 0.0, 0.0, np.sin(half_turn)))
    return np.array(poses)


def _random_positions(rng: np.random.Generator) -> Any:
    (x0, x1), (y0, y1) = _AREA
    while True:
        yield rng.uniform((x0, y0), (x1, y1))


def _near(rgb: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(c) for c in rgb))
    hue = (hue + rng.uniform(-10, 10) / 360) % 1
    saturation = min(1.0, saturation * rng.uniform(0.9, 1.1))
    value = min(1.0, value * rng.uniform(0.8, 1.15))
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value))
