"""`videomae prepare`."""
