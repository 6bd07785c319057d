"""Figures: sizes, the places of labels, and files that are the same byte for byte."""

from pathlib import Path

import av
import numpy as np
import pytest

from hwm_core.visualization import (
    Example,
    Strip,
    VideoWriter,
    charts,
    contact_sheet,
    heat,
    plan_strip,
    side_by_side,
    write_png,
)
from hwm_core.visualization.canvas import MODEL, PAPER, TRUTH, enlarge, evenly
from hwm_core.visualization.charts import spread_labels
from hwm_core.visualization.landscape_sheet import Curve, landscape_sheet
from hwm_core.visualization.prediction_strip import prediction_strip


def clip(count: int, height: int = 16, width: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def example(width: int = 16, predictions: int = 1) -> Example:
    strips = [Strip(f"strip {i}", "an explanation", clip(24, width=width, seed=i + 1)) for i in range(predictions)]
    return Example("window 1", clip(1, width=width)[0], clip(24, width=width), strips, ("a note",))


def colours(image: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(map(int, colour)) for colour in np.unique(image.reshape(-1, 3), axis=0)}


def test_columns_end_with_the_last_frame() -> None:
    assert evenly(6, 24) == [3, 7, 11, 15, 19, 23]
    assert evenly(3, 8) == [2, 4, 7]
    assert evenly(6, 2) == [0, 1] and evenly(2, 0) == []


def test_enlarging_keeps_the_aspect() -> None:
    assert enlarge(clip(3, 10, 20), 40).shape == (3, 40, 80, 3)


def test_heat_is_black_without_difference_and_bright_from_full_scale_on() -> None:
    still = clip(2)
    assert heat(still, still).max() <= 4, "the colour map starts at black"
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    np.testing.assert_array_equal(heat(white, black), heat(black + 77, black))  # 77 / 255 is just over 0.3
    assert heat(white, black).mean() > 180


def test_a_sheet_is_taller_with_more_strips() -> None:
    few = contact_sheet("Title", "subtitle", [example(predictions=1)], 30.0)
    more = contact_sheet("Title", "subtitle", [example(predictions=2)], 30.0)
    assert more.shape[0] > few.shape[0]
    assert more.shape[1] == few.shape[1]
    assert TRUTH in colours(few), "the label of the truth has its colour"


@pytest.mark.parametrize("width", [16, 28])
def test_frames_do_not_reach_the_margins(width: int) -> None:
    sheet = contact_sheet("Title", "subtitle", [example(width), example(width)], 30.0)
    for edge in (sheet[:20], sheet[-20:], sheet[:, :20], sheet[:, -20:]):
        assert colours(edge) == {PAPER}


@pytest.mark.parametrize(("past", "future"), [(1, 24), (9, 2)])
def test_a_strip_of_a_short_past_or_future_is_narrower(past: int, future: int) -> None:
    whole = prediction_strip(clip(9), clip(24), 30.0, "plan", cell_height=16)
    assert prediction_strip(clip(past), clip(future), 30.0, "plan", cell_height=16).shape[1] < whole.shape[1]


def test_a_plan_strip_has_start_way_end_and_goal() -> None:
    strip = plan_strip("Reach", ("0.2 m",), clip(1)[0], clip(1)[0], clip(50), num_between=3, cell_height=60)
    assert strip.shape[1] > 6 * 60


def test_a_png_is_read_back_unchanged(tmp_path: Path) -> None:
    import cv2

    image = clip(1)[0]
    write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], image)


def write_video(path: Path) -> None:
    with VideoWriter(path, 30.0) as video:
        for index, (left, right) in enumerate(zip(clip(10), clip(10, seed=1))):
            video.write(side_by_side({"left": left, "right": right}, f"frame {index}", index / 9, height=41))


def test_a_video_has_every_frame_and_the_rate(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
        assert container.streams.video[0].average_rate == 30


def test_the_same_frames_give_the_same_video_bytes(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    write_video(tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("ends", [[0.5] * 9, [0.0, 0.01, 0.02], [1.0, 0.99, 1.0], [0.1, 0.8]])
def test_labels_of_curves_that_end_together_are_spread_in_order_inside_the_chart(ends: list[float]) -> None:
    spread = np.array(spread_labels(ends, gap=0.07))
    order = np.argsort(ends, kind="stable")
    assert (np.diff(spread[order]) >= 0.07 - 1e-12).all()
    assert spread.min() >= 0.0 and spread.max() <= 1.0 + 1e-12
    assert list(spread) == ends or min(np.diff(np.array(ends)[order])) < 0.07, "labels that are far apart stay"


def test_curves_that_coincide_differ_in_dashes_and_markers(monkeypatch) -> None:
    figures = []
    monkeypatch.setattr(charts, "_svg", lambda figure: figures.append(figure) or "")
    curves = {label: [1.0, 2.0, None] for label in ("model", "no actions", "no motion")}
    charts.line_chart(curves, "frames ahead", "dB")
    lines = figures[0].axes[0].get_lines()
    looks = {(line.get_linestyle(), line.get_marker(), line.get_color()) for line in lines}
    assert len(looks) == 3 and len({line.get_marker() for line in lines}) == 3
    assert {text.get_text() for text in figures[0].axes[0].texts} == {"model", "no actions", "no motion"}


def test_the_same_curves_give_the_same_chart_bytes() -> None:
    curves = {"model": [1.0, 2.0, None], "empty": [None, None, None]}
    first = charts.line_chart(curves, "frames ahead", "dB")
    assert first == charts.line_chart(curves, "frames ahead", "dB") and first.startswith("<?xml")


def test_a_landscape_sheet_marks_the_motion_and_the_lowest_cost_of_every_curve():
    curve = Curve("elbow", (-1.0, 0.0, 1.0), (2.0, 1.0, 0.5), 1.0, "rad")
    image = np.zeros((8, 8, 3), np.uint8)
    sheet = landscape_sheet("Costs", {"start": image}, [curve] * 5)
    found = {colour: int((sheet == np.array(colour)).all(axis=-1).sum()) for colour in (TRUTH, MODEL)}
    assert found[TRUTH] >= 5 * 100, "a line in each chart"
    assert found[MODEL] == 5 * 81, "a box of 9 x 9 pixels in each chart"
