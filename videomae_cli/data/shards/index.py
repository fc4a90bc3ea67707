"""Find and read the files that are members of tar archives (shards).

The index `shards.sqlite` says in which shard each file is, and where in it. It takes the place of
the data root: the file `ROOT/clips/a.mp4` is then `OUT/shards.sqlite/clips/a.mp4`, so the rows of a
manifest, their order and its digest do not depend on where the files are. One range of bytes is
read for each file: from a local archive, or from any place that fsspec knows (`s3://...`).
"""

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.decode import SHARD_INDEX
from videomae_cli.errors import DataError

NAME = "videos-{:06d}.tar"
HINT = "the shards may have been moved: write them again with videomae prepare --shards"


class Member(NamedTuple):
    """A file in a shard."""

    archive: str
    """Path or URL of the shard."""
    start: int
    """Its first byte."""
    size: int
    """Number of bytes."""


def split_index(path: Path) -> tuple[Path, str] | None:
    """Return the index and the name in it of a path below an index; None for other paths."""
    if SHARD_INDEX not in path.parts:
        return None
    place = path.parts.index(SHARD_INDEX) + 1
    return Path(*path.parts[:place]), "/".join(path.parts[place:])


def find_member(path: Path) -> Member:
    """Return the shard and the bytes of a file, from its path below an index.

    Raises:
        DataError: The index cannot be read, or does not contain it.
    """
    parts = split_index(path)
    assert parts is not None, "the caller knows that the path is below an index"
    index, name = parts
    try:
        connection, location = _open(os.getpid(), index)
        row = connection.execute(
            "SELECT shard, start, size FROM files WHERE name = ?", (os.fsencode(name),)
        ).fetchone()
    except sqlite3.Error as error:
        raise DataError(f"{index}: not an index of shards ({error})", HINT) from error
    if row is None:
        raise DataError(f"{path}: not in the index of the shards", HINT)
    shard, start, size = row
    return Member(f"{location}/{NAME.format(shard)}", start, size)


def describe_member(path: Path) -> str:
    """Return the name of a file, and the shard that contains it, from its path below an index."""
    parts = split_index(path)
    assert parts is not None, "the caller knows that the path is below an index"
    return f"{parts[1]} in {find_member(path).archive}"


def read_member(member: Member) -> bytes:
    """Read the bytes of a file in a shard.

    Raises:
        DataError: The shard is missing, cannot be read, or is too short.
    """
    try:
        if "://" in member.archive:
            content = _read_remote(member)
        else:
            # buffered: a single read of the system ends after 2 GB
            with open(member.archive, "rb") as archive:  # noqa: PTH123  (speed)
                archive.seek(member.start)
                content = archive.read(member.size)
    except Exception as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise DataError(f"{member.archive}: {reason}", HINT) from error
    if len(content) != member.size:
        raise DataError(f"{member.archive} ends before byte {member.start + member.size:,}", HINT)
    return content


def measure_shards(index: Path) -> tuple[str, int] | None:
    """Return where the shards of an index are, and the bytes of their files; None without one."""
    if not index.is_file():
        return None
    try:
        connection, location = _open(os.getpid(), index)
        (size,) = connection.execute("SELECT total(size) FROM files").fetchone()
    except sqlite3.Error:
        return None
    return location, int(size)


def read_stamp(path: Path) -> tuple[int, int]:
    """Return the size of a file in bytes and when it was changed, in nanoseconds.

    A file in a shard has no time: 0. An OSError or a DataError if there is no such file.
    """
    if SHARD_INDEX in path.parts:
        return find_member(path).size, 0
    state = path.stat()
    return state.st_size, state.st_mtime_ns


@contextmanager
def open_member(path: Path) -> Iterator[Path]:
    """Read a file of a shard into memory; yield a path of it that any library can open.

    Raises:
        DataError: It cannot be read.
    """
    content = read_member(find_member(path))
    if sys.platform != "linux":
        with tempfile.TemporaryDirectory(prefix="videomae-") as folder:
            file = Path(folder, path.name)
            file.write_bytes(content)
            yield file
        return
    descriptor = os.memfd_create("video")  # a file in memory, which ends with this process
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@lru_cache(maxsize=8)
def _open(process: int, index: Path) -> tuple[sqlite3.Connection, str]:
    """Return a connection of this process to an index, and the place of its shards."""
    del process  # in the key: a connection must not cross a fork
    if not index.is_file():
        raise DataError(f"{index} is missing", HINT)
    address = f"{index.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    (location,) = connection.execute("SELECT value FROM facts WHERE name = 'location'").fetchone()
    return connection, location if "://" in location else str(index.parent / location)


def _read_remote(member: Member) -> bytes:
    import fsspec

    system, path = fsspec.core.url_to_fs(member.archive)
    content: bytes = system.cat_file(path, start=member.start, end=member.start + member.size)
    return content


def write_index(index: Path, location: str, files: Iterator[tuple[str, int, int, int]]) -> None:
    """Write an index of (name, shard, start, size); an OSError if the disk is full."""
    try:
        with closing(sqlite3.connect(index)) as connection, connection:
            connection.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT)")
            connection.execute("INSERT INTO facts VALUES ('location', ?)", (location,))
            connection.execute(
                "CREATE TABLE files (name BLOB PRIMARY KEY, shard INTEGER, start INTEGER,"
                " size INTEGER) WITHOUT ROWID"
            )
            rows = ((os.fsencode(name), *place) for name, *place in files)
            connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", rows)
    except sqlite3.Error as error:
        raise OSError(None, str(error), str(index)) from error
