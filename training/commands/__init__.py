"""The subcommands of `hwm`: parsers, and what they call. None of these modules imports torch."""
