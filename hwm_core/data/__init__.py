"""From recordings to training windows."""
