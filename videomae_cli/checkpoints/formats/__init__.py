"""All formats that convert to or from native: one file and one line here each.

The first format that recognises a file reads it, so the more specific ones come first.
"""

from videomae_cli.checkpoints.format import Format
from videomae_cli.checkpoints.formats.hugging_face import HF, HF_LINEAR
from videomae_cli.checkpoints.formats.image_vit import IMAGE
from videomae_cli.checkpoints.formats.mae_st import MAE_ST
from videomae_cli.checkpoints.formats.mmaction2 import MMACTION2
from videomae_cli.checkpoints.formats.videomae_v1 import V1
from videomae_cli.checkpoints.formats.videomae_v2 import V2

FORMATS: dict[str, Format] = {
    "hf-linear": HF_LINEAR,
    "hf": HF,
    "mmaction2": MMACTION2,
    "mae-st": MAE_ST,
    "v2": V2,
    "v1": V1,
    "image": IMAGE,
}
