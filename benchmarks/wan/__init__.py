"""A Wan model at a laptop's size, through all steps of docs/models.md."""
