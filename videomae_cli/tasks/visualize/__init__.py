"""`videomae visualize-mask`."""
