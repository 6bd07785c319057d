"""The evaluation of world models on recorded and simulated episodes."""
