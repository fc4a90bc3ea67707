"""Why a file in a format that is not read is refused: by the name of the format, with a remedy."""

import io
from contextlib import suppress
from pathlib import Path

import av

SOUND = ("aac", "ac3", "aiff", "amr", "caf", "flac", "mp2", "mp3", "wav")


def find_refusal(path: Path, formats: str) -> str:
    """Return why a file is refused if its format is not one of `formats` (a,b,..); or ""."""
    name = _find_format(path)
    if not name or name.split(",")[0] in formats.split(","):
        return ""
    if name in SOUND:
        return f"it is sound ({name}), not a video"
    if name.endswith("_pipe"):
        return (
            f"it is a picture ({name.removesuffix('_pipe')}), not a video; if it moves, make a "
            "video of it: "
            f"ffmpeg -i IN{path.suffix} OUT.mp4"
        )
    return (
        f"the format {name} is not read; put the video into MP4: ffmpeg -i IN{path.suffix} "
        "-c copy OUT.mp4 (without -c copy if MP4 cannot store it)"
    )


def _find_format(path: Path) -> str:
    """Return the name of a file's format, without running the code that reads it; or "".

    FFmpeg logs the name before it finds that the format is not allowed.
    """
    try:
        with path.open("rb") as file:
            start = io.BytesIO(file.read(1 << 16))
    except OSError:
        return ""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.DEBUG)
    try:
        with av.logging.Capture() as logs, suppress(av.FFmpegError):
            av.open(start, container_options={"format_whitelist": "none"}).close()
    finally:
        av.logging.set_level(level)
    lines = (text.split() for _, _, text in logs)
    return next((words[1] for words in lines if words[:1] == ["Format"] and "probed" in words), "")
