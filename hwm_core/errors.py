"""Errors for the person who can fix them: what was expected, what came, what to do."""


class BadInput(ValueError):
    """Input that a user can correct.

    The message is one sentence per part: what went wrong, what was expected, what was got, and the remedy.
    """

    def __init__(self, what: str, *, expected: object, got: object, remedy: str) -> None:
        self.what, self.expected, self.got, self.remedy = what, expected, got, remedy
        super().__init__(f"{what}: expected {expected}, got {got}. {remedy}")

    def __reduce__(self) -> tuple:
        # Keyword-only arguments do not survive the default pickling of exceptions between worker processes.
        return _rebuild, (type(self), self.what, self.expected, self.got, self.remedy)


def _rebuild(kind: type[BadInput], what: str, expected: object, got: object, remedy: str) -> BadInput:
    return kind(what, expected=expected, got=got, remedy=remedy)


class BadConfig(BadInput):
    """A configuration with an unknown key or a value out of range."""


class BadBag(BadInput):
    """A bag (or other recording) that cannot be read, or lacks a topic."""


class BadImage(BadInput):
    """An image message whose bytes do not fit its header, or whose aspect does not fit the checkpoint."""


class BadActions(BadInput):
    """Joint values, commands or candidate actions of the wrong size, or not finite."""


class BadCheckpoint(BadInput):
    """A checkpoint that is cut short, altered, or made for something else."""


class RobotMismatch(BadInput):
    """A robot whose joint names do not match the action manifest of the checkpoint."""
