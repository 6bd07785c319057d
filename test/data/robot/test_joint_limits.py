"""The joint-limit check."""

import numpy as np
import pytest

from hwm_core.data.robot.joint_limits import limits_or_extremes, share_beyond
from hwm_core.errors import BadActions


def test_values_within_a_tenth_of_the_range_beyond_the_limits_are_accepted():
    assert share_beyond(np.array([-1.2, 0.0, 1.2]), -1.0, 1.0) == 0  # the range is 2, so 0.2 is tolerated
    assert share_beyond(np.array([-1.3, 0.0, 1.2, 1.3]), -1.0, 1.0) == 0.5


def test_a_joint_is_rejected_when_most_of_its_values_are_beyond_its_limits():
    column = np.array([0.0, 5.0, 5.0, 0.0])
    # Half of the values, not most.
    assert limits_or_extremes(["a"], [column], [(-1, 1)], ["rad"]) == ((-1.0,), (1.0,))
    with pytest.raises(BadActions, match="Training values of a: expected values between its limits, -1 and 1"):
        limits_or_extremes(["a"], [np.append(column, 5.0)], [(-1, 1)], ["rad"])
