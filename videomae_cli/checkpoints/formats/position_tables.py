"""The fixed position embedding, for formats that store it, and a check of the tables in files."""

from torch import Tensor

from videomae_cli.position_table import sine_table

TOLERANCE = 1e-6  # MMAction2's stored table agrees with the formula within 4e-9


def find_difference_from_sine(table: Tensor) -> str:
    """Return how a stored table differs from the computed one; empty if it does not."""
    if table.ndim != 3 or table.shape[0] != 1 or table.shape[2] == 0:
        shape = "x".join(map(str, table.shape))
        return f"has shape {shape}, expected 1 x tokens x embedding dimension"
    if table.is_meta:
        return ""
    expected = sine_table(table.shape[1], table.shape[2])
    rounded = expected.half().float()  # for files in half precision
    difference = min(float((table - e).abs().max()) for e in (expected, rounded))
    if difference <= TOLERANCE:
        return ""
    return (
        f"differs by up to {difference:.2g} from the fixed sine table: learned position embeddings"
        " are not supported here"
    )
