"""The formats that convert to and from native: a file with a table each, and a line here."""

from videomae_cli.checkpoints.keymap import Format
from videomae_cli.checkpoints.original import V1

FORMATS: dict[str, Format] = {"v1": V1}
