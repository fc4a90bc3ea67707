"""Training loop, optimizer, devices and processes, training checkpoints, logs."""
