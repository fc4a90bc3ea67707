"""`videomae demo`."""
