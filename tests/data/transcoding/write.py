"""Write a video in one form, for any test that reads it."""

from io import BytesIO
from pathlib import Path

from videomae_cli.data.decoding.video_info import VideoInfo, probe_video
from videomae_cli.data.transcoding.forms import FORMS, Settings, Timing
from videomae_cli.data.transcoding.write_file import Written, write_file


def write_form(source: Path, form: str, *, short_side: int = 256) -> tuple[Path, Written]:
    """Write a video beside its source, as `prepare` does; return the file and its size."""
    info: VideoInfo = probe_video(source)
    file = BytesIO()
    timing = Timing(info.fps, info.times)
    written = write_file(source, info.frames, timing, Settings(form, short_side), file)
    path = source.with_name(f"{source.name}.{form}{FORMS[form].suffix}")
    path.write_bytes(file.getvalue())
    return path, written
