"""Read checkpoints of every known format, convert them, and write them."""
