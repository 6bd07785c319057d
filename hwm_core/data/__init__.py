"""Recorded runs in, training windows out."""
