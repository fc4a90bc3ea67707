"""From video files to batches."""
