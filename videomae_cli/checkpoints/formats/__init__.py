"""The formats that convert to and from native: a file with a table each, and a line here.

The first that recognises a file reads it, so those that look for more come first.
"""

from videomae_cli.checkpoints.format import Format
from videomae_cli.checkpoints.formats.hugging_face import HF, HF_LINEAR
from videomae_cli.checkpoints.formats.image import IMAGE
from videomae_cli.checkpoints.formats.mae_st import MAE_ST
from videomae_cli.checkpoints.formats.mmaction2 import MMACTION2
from videomae_cli.checkpoints.formats.original import V1
from videomae_cli.checkpoints.formats.v2_folder import V2

FORMATS: dict[str, Format] = {
    "hf-linear": HF_LINEAR,
    "hf": HF,
    "mmaction2": MMACTION2,
    "mae-st": MAE_ST,
    "v2": V2,
    "v1": V1,
    "image": IMAGE,
}
