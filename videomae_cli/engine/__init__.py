"""The training engine: loop, optimizer, learning rates, processes, checkpoints, logs."""
