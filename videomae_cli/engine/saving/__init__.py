"""Training checkpoints on disk: written whole, checked when read."""
