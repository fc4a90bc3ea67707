"""The transformer block: attention, MLP, and what of them is stored for the backward pass."""
