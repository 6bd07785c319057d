"""The benchmark of the surprise alarm: what counts as an alarm, and what a disturbance changes."""

import numpy as np
import pytest

from benchmarks.node.surprise import AFTER_S, IMAGES, ONSET_S, THRESHOLDS, Run, disturbed, summary
from benchmarks.node.table import surprise_table
from hwm_core.sim.recorder import SimEpisode


def run(*ratios: float) -> Run:
    return Run(ratios, tuple(ONSET_S + 0.5 * number for number in range(len(ratios))))


def test_an_alarm_rises_at_the_second_latent_in_a_row_and_counts_once_while_it_lasts():
    assert run(9, 1, 9, 9, 9, 1, 9, 9).alarms(4.0) == [ONSET_S + 1.5, ONSET_S + 3.5]
    assert run(9, 1, 9, 1).alarms(4.0) == []
    assert run(9, 9, 9).between(ONSET_S + 1.0, ONSET_S + 9).alarms(4.0) == [], "one latent is left"


def test_the_table_counts_false_alarms_and_what_raised_the_alarm():
    numbers = summary([run(1, 1, 5, 5), run(1, 1, 1, 1)], {"dark": [run(5, 5), run(1, 1)]})
    at_four = numbers["thresholds"][THRESHOLDS.index(4.0)]
    assert at_four["latents_above"]["count"] == 2 and at_four["latents_above"]["of"] == 8
    assert at_four["episodes_with_false_alarm"]["count"] == 1 and at_four["alarms_per_minute"] == 20.0
    assert at_four["raised"]["dark"] == {"count": 1, "of": 2, "interval": [0.095, 0.905], "median_delay_s": 0.5}
    text = surprise_table(numbers)
    assert "| latents above the threshold | 25.0 % " in text and "| dark | 50.0 % [9.5, 90.5], 0.5 s |" in text


@pytest.mark.parametrize("name", IMAGES)
def test_a_disturbed_image_differs_from_its_onset_on_and_not_before(name):
    count = 360
    frames = np.random.default_rng(0).integers(0, 256, (count, 20, 20, 3), dtype=np.uint8)
    stamps, zeros = np.arange(count, dtype=np.int64), np.zeros((count, 2), np.float32)
    normal = SimEpisode(
        3, ("a", "b"), frames, stamps, zeros, zeros, zeros[0], np.zeros((count, 0, 3), np.float32), None
    )
    changed = disturbed(normal, "random", name)
    onset, end = round(30 * ONSET_S), round(30 * (ONSET_S + AFTER_S))
    assert len(changed.frames) == len(changed.commands) == end
    assert np.array_equal(changed.frames[:onset], frames[:onset])
    assert all((changed.frames[i] != frames[i]).any() for i in range(onset, end))
