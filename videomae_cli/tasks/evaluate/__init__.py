"""`videomae eval`."""
