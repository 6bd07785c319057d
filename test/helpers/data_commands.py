"""The data commands by short names, for tests that run several commands."""

from training import (
    compute_statistics,
    convert_data,
    inspect_data,
    prepare_data,
    split_data,
    tokenise_data,
    verify_data,
)

COMMANDS = {
    "inspect": inspect_data,
    "verify": verify_data,
    "split": split_data,
    "statistics": compute_statistics,
    "convert": convert_data,
    "prepare": prepare_data,
    "tokenise": tokenise_data,
}


def run_command(name: str, *arguments: object) -> int:
    """The exit status."""
    return COMMANDS[name].main([str(argument) for argument in arguments])
