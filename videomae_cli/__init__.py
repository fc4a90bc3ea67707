"""videomae: pretrain, fine-tune, evaluate, visualise and convert masked video autoencoders.

The commands of `videomae` in Python: `load` a checkpoint, then ask the `Model`. Its parts are
imported at their first use, so that importing the package is fast and loads no torch.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from videomae_cli.api.load import load
    from videomae_cli.api.model import Model
    from videomae_cli.api.results import (
        FeatureRow,
        Features,
        MaskedClip,
        Prediction,
        Reconstruction,
    )
    from videomae_cli.api.videos import VideoInput
    from videomae_cli.errors import (
        CheckpointError,
        DataError,
        RecipeError,
        TrainingError,
        UsageError,
        VideoMAEError,
    )
else:
    # name -> the module that defines it
    _MODULES = {
        "load": "api.load",
        "Model": "api.model",
        "VideoInput": "api.videos",
        **dict.fromkeys(
            ("FeatureRow", "Features", "MaskedClip", "Prediction", "Reconstruction"), "api.results"
        ),
        **dict.fromkeys(("CheckpointError", "DataError", "RecipeError", "TrainingError"), "errors"),
        **dict.fromkeys(("UsageError", "VideoMAEError"), "errors"),
    }

    def __getattr__(name: str) -> object:
        """Import a public name at its first use (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Return the public names too that have not been imported yet."""
        return sorted({*globals(), *_MODULES})


__all__ = [
    "CheckpointError",
    "DataError",
    "FeatureRow",
    "Features",
    "MaskedClip",
    "Model",
    "Prediction",
    "RecipeError",
    "Reconstruction",
    "TrainingError",
    "UsageError",
    "VideoInput",
    "VideoMAEError",
    "__version__",
    "load",
]
