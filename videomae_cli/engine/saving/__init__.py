"""Training checkpoints on disk: written completely or not at all, checked when read."""
