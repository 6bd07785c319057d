"""Warnings about suspicious joint values."""

import numpy as np
import pytest

from hwm_core.data.robot.value_checks import value_warnings


@pytest.mark.parametrize(
    ("name", "values", "unit", "message"),
    [
        ("elbow", np.linspace(-90, 90, 50), None, "degrees for radians"),
        ("elbow", np.linspace(-1, 1, 50), "deg", "radians for degrees"),
        ("left_hand_index", np.linspace(0, 1000, 50), None, "of 1000?"),
        ("left_hand_index", np.linspace(0, 255, 50), "unit", "of 255?"),
        ("knee", np.full(50, 0.3), "rad", "constant at 0.3"),
        ("waist_yaw", np.mod(np.linspace(0, 9, 200), 2 * np.pi), "rad", "wraps around"),
        ("neck", np.where(np.arange(500) == 250, 3.0, 0.001 * np.sin(np.arange(500))), "rad", "a single step of 3"),
    ],
)
def test_values_in_another_unit_and_jumps_give_warnings(name, values, unit, message):
    assert any(message in warning for warning in value_warnings(name, values, unit))


def test_only_values_beyond_their_limits_give_warnings():
    values = np.sin(np.arange(200) / 20)
    assert value_warnings("elbow", values, "rad", (-1.2, 1.2)) == []
    assert "beyond its limits" in value_warnings("elbow", values, "rad", (-0.5, 0.5))[0]
    assert value_warnings("left_hand_index", np.linspace(0, 1, 50)) == []
