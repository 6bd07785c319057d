"""How many candidates a machine scores in a given time, as measured in its last searches."""

_GAIN = 0.5  # of a new measurement
_RESERVE = 0.8  # share of the time that is planned for; other processes need the machine too
_LEAST_SHARE = 0.02


class SearchSpeed:
    """Measures searches and says which share of the candidates a deadline allows. Without a measurement: all."""

    def __init__(self) -> None:
        self._encode_s = self._future_s = 0.0  # per search, and per predicted future
        self._known = False

    def measured(self, encode_s: float, search_s: float, futures: int) -> None:
        """Learn from a search.

        Args:
            encode_s: time before the first candidate was scored.
            search_s: time of all candidates.
            futures: candidates that were scored.
        """
        gain = _GAIN if self._known else 1.0
        self._encode_s += gain * (encode_s - self._encode_s)
        self._future_s += gain * (search_s / max(1, futures) - self._future_s)
        self._known = True

    def share(self, seconds: float, nominal: int) -> float:
        """The share of `nominal` candidates that can be scored in `seconds`, between a fiftieth and 1."""
        if self._future_s <= 0:
            return 1.0
        possible = (_RESERVE * seconds - self._encode_s) / self._future_s
        return min(1.0, max(_LEAST_SHARE, possible / nominal))
