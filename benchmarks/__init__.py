"""Figures of this project, each measured by one command; see docs/benchmarks.md."""
