"""Data: from video files to the batches of training and evaluation."""
