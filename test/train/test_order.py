"""The order of the data."""

from hwm_core.train.order import BatchOrder


def test_a_batch_depends_only_on_its_number_and_an_epoch_visits_every_item_once():
    order = BatchOrder(length=10, batch_size=4, seed=3)
    forward = [order.batch(number) for number in range(5)]  # two epochs of 10
    assert [order.batch(number) for number in reversed(range(5))] == forward[::-1]
    items = [item for batch in forward for item in batch]
    assert sorted(items[:10]) == sorted(items[10:]) == list(range(10))
    assert items[:10] != items[10:]
    resumed = iter(BatchOrder(length=10, batch_size=4, seed=3, first=2))
    assert next(resumed) == forward[2]
