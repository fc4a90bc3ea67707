"""Refuse a path of weights that does not exist, without importing torch."""

from pathlib import Path

from videomae_cli.errors import CheckpointError

SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")


def require_path(path: Path) -> None:
    """Raise a `CheckpointError` with a hint at the weights beside a path that does not exist."""
    if not path.exists():
        raise CheckpointError(f"{path}: no such file or directory", _suggest_paths(path.parent))


def _suggest_paths(folder: Path) -> str:
    """Return a hint that lists the possible weights in a directory."""
    if not folder.is_dir():
        return f"{folder} does not exist either"
    seen = [path for path in folder.iterdir() if not path.name.startswith(".")]
    names = sorted(path.name for path in seen if path.is_dir() or path.suffix in SUFFIXES)
    return f"{folder} contains {', '.join(names[:5])}" if names else f"{folder} has no weights"
