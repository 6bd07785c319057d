"""The two tracks of the 1X World Model Challenge: samples, predictions, scores and submissions."""
