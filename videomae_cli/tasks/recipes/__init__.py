"""`videomae recipes`."""
