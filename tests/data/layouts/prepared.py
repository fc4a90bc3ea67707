"""Run `prepare` on small sources with real clips, and record all that it writes and says."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

QUICK = {"decoder": "pyav", "workers": 1}  # the comparison of decoders has its own tests
SIDE = 16  # pixels
LENGTHS = (3, 4, 5)  # frames of the clips in turn, so that a row can be seen to be the right file
Row = tuple[str | None, str]
"""Class name and split."""


class Outcome(NamedTuple):
    """What `prepare` did with a source: either rows, or a refusal."""

    rows: dict[str, Row]
    """By path, relative to the folder of the clips."""
    classes: tuple[str, ...] | None
    refusal: str
    """Message and hint of the error; empty if a manifest was written."""
    lines: list[str]
    """Every message and warning, the cells of tables, and the rejected rows."""


def place_clips(folder: Path, paths: Iterable[str]) -> None:
    """Write a clip at each path; its number of frames follows from the position in `paths`."""
    for position, path in enumerate(paths):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_clip(target.suffix.lower(), LENGTHS[position % len(LENGTHS)]))


def place_texts(folder: Path, texts: dict[str, str | bytes]) -> None:
    """Write a file at each path; text is written as UTF-8 with the line ends that it has."""
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)


def prepare_source(
    source: Path, out: Path, clips: Path, paths: Iterable[str], **options: object
) -> Outcome:
    """Run `prepare`; also check that each row has the number of frames of its clip.

    `clips` and `paths` are what `place_clips` was called with; `options` are fields of
    `PrepareOptions`. The path of the folder that contains the clips is left out of all lines: it
    has the name of the test.
    """
    outcome = _prepare(source, out, clips, paths, options)
    folder = f"{clips.parent}/"
    lines = [line.replace(folder, "") for line in outcome.lines]
    return outcome._replace(refusal=outcome.refusal.replace(folder, ""), lines=lines)


def _prepare(
    source: Path, out: Path, clips: Path, paths: Iterable[str], options: dict[str, object]
) -> Outcome:
    notes = Notes()
    try:
        with _warnings_to(notes):
            run(source, out, notes, PrepareOptions(**{**QUICK, **options}))  # type: ignore[arg-type]
    except (DataError, UsageError) as error:
        return Outcome({}, None, f"{error.message}\n{error.hint}", _lines(notes, out))
    manifest = read_manifest(out)
    lengths = {path: LENGTHS[i % len(LENGTHS)] for i, path in enumerate(paths)}
    frames = {_relative(manifest, video.path, clips): video.frames for video in manifest.videos}
    assert frames == {path: lengths.get(path) for path in frames}, "a row has another file's frames"
    return Outcome(_rows(manifest, clips), manifest.classes, "", _lines(notes, out))


def _rows(manifest: Manifest, clips: Path) -> dict[str, Row]:
    names = manifest.classes or ()
    return {
        _relative(manifest, video.path, clips): (
            None if video.label is None else names[video.label],
            video.split,
        )
        for video in manifest.videos
    }


def _relative(manifest: Manifest, path: str, clips: Path) -> str:
    return Path(os.path.relpath(manifest.root / path, clips)).as_posix()


def _lines(notes: Notes, out: Path) -> list[str]:
    cells = [" ".join(row) for rows in notes.tables for row in rows]
    rejected = out / "rejected.csv"
    reasons = rejected.read_text(errors="replace").splitlines()[1:] if rejected.exists() else []
    return [*notes.said, *notes.warned, *cells, *reasons]


@contextmanager
def _warnings_to(notes: Notes) -> Iterator[None]:
    """Record what is logged, as the command line shows it."""

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            notes.warn(record.getMessage())

    logger, recorder = logging.getLogger("videomae"), Recorder()
    logger.addHandler(recorder)
    try:
        yield
    finally:
        logger.removeHandler(recorder)


@cache
def _clip(suffix: str, frames: int) -> bytes:
    """Return the bytes of a clip with this number of frames, in the container of a suffix."""
    container = suffix if suffix in (".mp4", ".avi") else ".mkv"
    with TemporaryDirectory() as folder:
        path = Path(folder, f"clip{container}")
        return write_clip(path, frames, height=SIDE, width=SIDE, codec="mpeg4").read_bytes()
