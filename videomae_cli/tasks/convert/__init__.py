"""`videomae convert`."""
