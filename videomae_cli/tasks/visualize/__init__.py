"""`videomae visualize-mask`: draw masks and reconstructions of a video."""
