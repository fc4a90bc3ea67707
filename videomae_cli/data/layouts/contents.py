"""Describe a source in which no layout was found, for the error message."""

from pathlib import Path

from videomae_cli.data.decoding.frame_series import is_image
from videomae_cli.data.layouts.file_search import (
    VIDEO_SUFFIXES,
    find_files,
    join_some,
)
from videomae_cli.data.layouts.frame_folders import find_frame_folders
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading

OTHER_FORMATS = {
    ".dcm": "DICOM is not read: export it as video",
    ".tif": "TIFF is not read: write one .png for each frame, or a video",
    ".tiff": "TIFF is not read: write one .png for each frame, or a video",
    ".npy": "arrays are read as frames only: a folder for each video, with one numbered array"
    " (uint8, height x width x channels) for each frame",
    ".npz": "arrays are not read: write videos",
    ".h5": "HDF5 is not read: write videos",
    ".zip": "archives are not read: unpack them first",
    ".tar": "archives are not read: unpack them first",
    ".gz": "archives are not read: unpack them first",
}


def describe_contents(source: Path, reading: Reading) -> str:
    """Return what a file or folder contains, and why that is not read."""
    if source.is_file():
        return _describe_file(source, reading)
    found = find_files(source)
    if not found.others:
        return "it contains no files"
    counts = found.other_suffixes.most_common(4)
    folders = {path.parent for path in found.others}
    parts = [
        "no videos and no list of videos; found "
        + ", ".join(f"{count} {suffix}" for suffix, count in counts)
        + f" in {len(folders)} {'folder' if len(folders) == 1 else 'folders'}"
    ]
    reasons = {OTHER_FORMATS[suffix] for suffix, _ in counts if suffix in OTHER_FORMATS}
    if find_frame_folders(source) == [Path()]:
        return f"this is one video, a folder of frames: give the folder above, {source.parent}"
    if is_image(f"x{counts[0][0]}"):
        names = [path.name for path in found.others]
        reasons.add(
            "a folder of images is a video if they are numbered (img_00001.jpg, ...), which these "
            f"are not: {join_some(names, 2)}"
        )
    return "; ".join([*parts, *sorted(reasons)])


def _describe_file(source: Path, reading: Reading) -> str:
    if source.suffix.lower() in VIDEO_SUFFIXES:
        return f"this is one video: give its folder, {source.parent}"
    data = source.read_bytes()[:4096]
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "this is neither a list of videos nor a video with a known suffix"
    lines = read_text(source, reading.encoding).content.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        return "the file is empty"
    return f"no header with a column of paths, and no paths of videos; line 1 is {first[:100]!r}"
