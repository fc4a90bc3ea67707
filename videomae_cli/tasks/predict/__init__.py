"""`videomae predict`."""
