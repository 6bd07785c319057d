"""Publishers are distinguished by the sequence numbers of their messages."""

import numpy as np
import pytest

from hwm_core.live.publishers import Publishers


def told_apart(messages):
    """Whether messages (publisher, number) of the same publisher, and no others, get one identity."""
    publishers, seen = Publishers(), {}
    for who, number in messages:
        seen.setdefault(publishers.identify(number), set()).add(who)
    return len(seen) == len({who for who, _ in messages}) and all(len(whos) == 1 for whos in seen.values())


@pytest.mark.parametrize("rates", [(1, 1), (1, 5), (3, 2)])
@pytest.mark.parametrize("start", [1, 7, 5000])
def test_publishers_of_any_rate_and_age_are_told_apart(rates, start):
    messages = []
    for cycle in range(200):
        messages += [("a", 1 + rates[0] * cycle + i) for i in range(rates[0])]
        messages += [("b", start + 7000 + rates[1] * cycle + i) for i in range(rates[1])]
    assert told_apart(messages)


def test_two_publishers_that_start_together_are_told_apart():
    assert told_apart([(who, number) for number in range(1, 100) for who in "ab"])


def test_lost_messages_do_not_change_the_identity():
    rng = np.random.default_rng(0)
    messages = [(who, number) for number in range(1, 400) for who in "ab"]
    kept = [(who, number + (900 if who == "b" else 0)) for who, number in messages if rng.uniform() > 0.5]
    assert told_apart(kept)


def test_where_numbers_agree_the_content_decides():
    publishers, rows = Publishers(), {}
    for number in range(1, 50):
        for value in (1.0, 0.0) if number % 2 else (0.0, 1.0):
            who = publishers.identify(number, lambda one, value=value: abs(rows[one] - value))
            assert rows.setdefault(who, value) == value
    assert len(rows) == 2


def test_without_numbers_all_messages_are_of_one_publisher():
    publishers = Publishers()
    assert {publishers.identify(None) for _ in range(5)} == {0}


def test_publishers_that_come_and_go_do_not_fill_the_memory():
    publishers = Publishers()
    assert [publishers.identify(1000 * (1000 - number)) for number in range(900)] == list(range(900))
    assert len(publishers._newest) == 16
