"""Measurements of this project. Each one has a command and leaves a JSON file in `results`; see docs/benchmarks.md."""
