"""Reading, converting and writing weights: any format to native, native to any format."""

from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.loading import Loaded, load, save

__all__ = ["FORMATS", "Loaded", "load", "save"]
