"""A Wan model at a laptop's size, through the whole road of docs/models.md."""
