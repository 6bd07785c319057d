"""Tells the publishers of a topic apart."""

from collections import OrderedDict
from collections.abc import Callable

_LARGEST_GAP = 50  # messages of one publisher that may be lost in a row
_KEPT = 16  # publishers


class Publishers:
    """Tells the publishers of a topic apart by the sequence numbers of their messages.

    Every publisher numbers its messages from 1. The middleware reports the number of a received message, but rclpy does
    not report its publisher. A message belongs to the publisher whose newest number is the nearest smaller one.
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[int, int] = OrderedDict()  # {publisher: newest number}, least recently used first
        self._publishers = 0

    def identify(self, number: int | None, distance: Callable[[int], float] = lambda _: 0.0) -> int:
        """The publisher of a message, counted from 0.

        Args:
            number: sequence number of the message; None if the middleware reports none: then all messages are of one.
            distance: how much the content of the message differs from the newest message of a publisher; it decides
                where two publishers have the same number.
        """
        if number is None:
            return 0
        fitting = {who: number - newest for who, newest in self._newest.items() if 0 < number - newest <= _LARGEST_GAP}
        nearest = [who for who, gap in fitting.items() if gap == min(fitting.values())]
        if not nearest:
            nearest, self._publishers = [self._publishers], self._publishers + 1
        # `min` keeps the order: of equally likely publishers, the one that was silent for the longest time.
        best = nearest[0] if len(nearest) == 1 else min(nearest, key=distance)
        self._newest[best] = number
        self._newest.move_to_end(best)
        while len(self._newest) > _KEPT:
            self._newest.popitem(last=False)
        return best
