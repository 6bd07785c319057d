"""The subcommands of `hwm`: their parsers and calls. None of these modules imports torch."""
