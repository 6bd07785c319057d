"""Counts the memory of computations without doing them."""
