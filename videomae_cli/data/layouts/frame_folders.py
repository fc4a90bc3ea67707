"""Folders of numbered images, each read as one video."""

from pathlib import Path


def find_frame_folders(folder: Path) -> list[Path]:
    """Return the folders below a folder that contain numbered images (to be built)."""
    return []
