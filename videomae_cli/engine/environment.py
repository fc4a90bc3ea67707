"""Versions of the installed software that a run's results depend on."""

import platform
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_DECODERS = ("decord2", "decord", "av")
_PACKAGES = ("videomae", "torch", "torchvision", "timm", "accelerate", *_DECODERS, "torchcodec")


def software() -> dict[str, str]:
    """Return the versions of the packages that results depend on, by package."""
    versions = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def decoders(*extras: str) -> str:
    """Return the installed video decoders with their versions, as one line.

    `extras` are further packages, which some data are decoded with.
    """
    versions = software()
    names = [name for name in (*_DECODERS, *extras) if name in versions]
    return ", ".join(f"{name} {versions[name]}" for name in names)


def describe() -> dict[str, Any]:
    """Return the content of a run's `environment.json`."""
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "packages": software(),
    }
