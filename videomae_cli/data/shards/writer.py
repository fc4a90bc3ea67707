"""Write the files of a data set into tar archives (shards), with an index of them.

In front of each file is a JSON file of the same name with its row of the manifest, as WebDataset
names samples: `000000042.json`, `000000042.mp4`. Shards that an earlier run wrote from the same
files are kept.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePath
from typing import IO, NamedTuple

from videomae_cli import atomic
from videomae_cli.data.decode import SHARD_INDEX
from videomae_cli.data.manifest import Video
from videomae_cli.data.shards.index import NAME, write_index
from videomae_cli.errors import DataError, UsageError

RECORD = "shards.json"
"""Digest of what each finished shard was written from, by its name."""
SHARD_BYTES = 1 << 30
Place = tuple[str, int, int, int]
"""Name of a file, number of its shard, its first byte there, and its size."""


class SourceFile(NamedTuple):
    """A file to write into a shard."""

    name: str
    """Path in the data set."""
    path: Path
    size: int
    modified: int
    """Nanoseconds since 1970."""
    facts: str
    """Its JSON."""


def check_location(location: str) -> None:
    """Raise a UsageError unless fsspec can open a place that is a URL."""
    if "://" not in location:
        return
    import fsspec

    try:
        fsspec.core.url_to_fs(location)
    except Exception as error:  # any class: they are those of packages that are not known here
        raise UsageError(
            f"--shards {location}: {error}",
            "install the package of its protocol, or give a directory",
        ) from error


def list_files(
    videos: Sequence[Video], root: Path, classes: Sequence[str] | None
) -> list[SourceFile]:
    """Return the files of a manifest, each once, in its order.

    Raises:
        DataError: One is a folder of frames, is missing, or has an absolute path.
    """
    files: dict[str, SourceFile] = {}
    for video in videos:
        name = PurePath(video.path).as_posix()
        if name in files:
            continue
        path = root / video.path
        if PurePath(video.path).is_absolute():
            raise DataError(
                f"{path}: an absolute path cannot be that of a file in a shard",
                "list paths that start from a folder, and give it: --root FOLDER",
            )
        if path.is_dir():
            raise DataError(
                f"{path} is a folder of images, which shards do not contain",
                "make one file of each folder: add --jpeg",
            )
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}", "check the data root") from error
        facts = _describe(video, classes)
        files[name] = SourceFile(name, path, state.st_size, state.st_mtime_ns, facts)
    return list(files.values())


def _describe(video: Video, classes: Sequence[str] | None) -> str:
    """Return the row of a file as JSON; of segments only what all rows of the file share."""
    facts: dict[str, object] = {"path": video.path, "fps": video.fps}
    facts |= {"width": video.width, "height": video.height}
    if video.start is None:
        facts |= {"split": video.split, "frames": video.frames}
        if video.label is not None and classes is not None:
            facts |= {"label": video.label, "class": classes[video.label]}
        if video.target is not None:
            facts["target"] = video.target
    return json.dumps(facts)


def plan_shards(files: Sequence[SourceFile], shard_bytes: int) -> list[list[SourceFile]]:
    """Divide files into shards of at most `shard_bytes`, or one file, in their order."""
    shards: list[list[SourceFile]] = []
    used = shard_bytes
    for file in files:
        if used + file.size > shard_bytes and (used or not shards):
            shards.append([])
            used = 0
        shards[-1].append(file)
        used += file.size
    return shards


def write_shards(
    out: Path,
    location: str,
    shards: Sequence[Sequence[SourceFile]],
    advance: Callable[[int], None],
) -> Path:
    """Write shards and their index; return the index, which is the data root of the files.

    Args:
        out: The prepared directory; the index is written there.
        location: Directory of the shards, absolute or relative to `out`, or a URL of fsspec.
        shards: The files of each.
        advance: Called with the number of files of each shard that is complete.

    Raises:
        DataError: A file was changed or removed meanwhile.
        OSError: A shard or the index cannot be written.
    """
    record = _read_record(out / RECORD)
    places: list[Place] = []
    first = 0  # number of the first file of a shard
    for number, files in enumerate(shards):
        name = NAME.format(number)
        archive = f"{location}/{name}" if "://" in location else str(out / location / name)
        digest = _digest_plan(files, first, location)
        if record.get(name) != digest or not _exists(archive):
            with _create_archive(archive) as stream:
                _write_archive(stream, files, first)
            record[name] = digest
            atomic.write_json(out / RECORD, record)
        places += locate_files(files, number)
        first += len(files)
        advance(len(files))
    index = out / SHARD_INDEX
    with atomic.replacing(index) as partial:
        write_index(partial, location, iter(places))
    return index


def locate_files(files: Sequence[SourceFile], shard: int) -> Iterator[Place]:
    """Yield the place of each file of a shard; the JSON of each is in front of it."""
    position = 0
    for file in files:
        position += tarfile.BLOCKSIZE + _pad(len(file.facts)) + tarfile.BLOCKSIZE
        yield file.name, shard, position, file.size
        position += _pad(file.size)


def _pad(size: int) -> int:
    """Return how many bytes a tar archive needs for so many."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _write_archive(stream: IO[bytes], files: Sequence[SourceFile], first: int) -> None:
    # GNU's format: one header of 512 bytes for each file, whatever its size
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for number, file in enumerate(files, start=first):
            facts = tarfile.TarInfo(f"{number:09d}.json")
            facts.size = len(file.facts)
            archive.addfile(facts, BytesIO(file.facts.encode("ascii")))
            member = tarfile.TarInfo(f"{number:09d}{file.path.suffix.lower()}")
            member.size = file.size
            try:
                with file.path.open("rb") as source:
                    archive.addfile(member, source)
                    state = os.fstat(source.fileno())
            except OSError as error:
                if error.filename != str(file.path) and error.errno is not None:
                    raise  # of the archive
                raise DataError(
                    f"{file.path}: {error.strerror or error}", "run the same command again"
                ) from error
            if (state.st_size, state.st_mtime_ns) != (file.size, file.modified):
                raise DataError(
                    f"{file.path} was changed while it was written into a shard",
                    "run the same command again",
                )


def _digest_plan(files: Sequence[SourceFile], first: int, location: str) -> str:
    """Return a digest of what a shard is written from."""
    plan = [[*file[:1], *file[2:]] for file in files]  # without the path on this machine
    return hashlib.sha256(json.dumps([first, location, plan]).encode()).hexdigest()


def _read_record(path: Path) -> dict[str, str]:
    """Return the record of an earlier run; nothing if it is missing or damaged."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _exists(archive: str) -> bool:
    if "://" not in archive:
        return Path(archive).is_file()
    import fsspec

    system, path = fsspec.core.url_to_fs(archive)
    return bool(system.exists(path))


@contextmanager
def _create_archive(archive: str) -> Iterator[IO[bytes]]:
    """Yield a stream; the archive exists when the block ends without an exception."""
    if "://" not in archive:
        with atomic.replacing(Path(archive)) as partial, partial.open("wb") as stream:
            yield stream
        return
    import fsspec

    with fsspec.open(archive, "wb") as stream:
        yield stream
