"""The Python interface: `load` a checkpoint, and ask the `Model` for predictions or features."""
