"""The two tracks of the 1X World Model Challenge: what is predicted, how it is judged, and what is handed in."""
