"""Command-line recipes over hwm_core."""
