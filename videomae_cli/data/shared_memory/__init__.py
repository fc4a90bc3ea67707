"""Batches on their way from worker processes to the main process."""
