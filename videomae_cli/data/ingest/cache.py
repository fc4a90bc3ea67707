"""Results of earlier runs of `prepare`, so that only new and changed files are decoded.

One JSON object per line, appended when a result is ready: an interrupted run keeps its results. A
result is valid for the same path, size, modification time, decoder and versions of the packages
that this decoder uses. For a folder of frames, names, sizes and modification times of all files
must be the same. What was measured before the decoder was chosen is valid for every decoder. Files
of `prepare --jpeg` and `--uint8` are not kept: their rate is in the manifest beside them.

Jobs that share the work (`--shard`) may run on several machines, so each appends to a file of its
own, `probe-cache-0-of-4.jsonl`; every job reads the files of all.
"""

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import PIL

from videomae_cli.atomic import LineLog, read_last_line
from videomae_cli.data.decode import FILE_DECODERS, FRAMES, TORCHCODEC
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.probe import (
    ANY,
    AUTO,
    LATE_NOTE,
    PACKAGE,
    ReadableVideo,
    RejectedVideo,
)

FILE, FILES = "probe-cache.jsonl", "probe-cache*.jsonl"
VERSION = 6  # to be increased when the result for the same file would change
FINISHED = '{"finished": true}'  # the last line of a job that has probed its files
ALONE = Share()
NEED_DECORD = (AUTO, "decord")  # the decoders whose results depend on its version, too
Lines = dict[str, dict[str, str]]
"""The newest line of each path, by the decoder asked for; as text: a third of the memory."""


class ProbeCache(LineLog):
    """The results stored in one directory; results are added inside a `with` block.

    Args:
        directory: Contains the files of results; it need not exist.
        decoder: The decoder asked for.
        versions: Of the decoding packages.
        share: The job that adds results.
        wanted: Paths whose results are kept in memory; None: all.
    """

    def __init__(
        self,
        directory: Path,
        decoder: str,
        versions: dict[str, str],
        *,
        share: Share = ALONE,
        wanted: Collection[str] | None = None,
    ) -> None:
        super().__init__(_file_of(directory, share))
        self._decoder, self._versions = decoder, versions
        self._lines = _read_lines(directory, wanted)

    def get(self, path: Path) -> ReadableVideo | RejectedVideo | None:
        """Return the earlier result for a file that has not changed since."""
        for line, decoder, is_same in self._find(path):
            if "probe" not in line:
                if is_same or decoder == ANY:  # no decoder reads what cannot be counted
                    return RejectedVideo(line["reason"])
                continue
            video = ReadableVideo.from_json(line["probe"])
            if is_same:
                return video
            if self._decoder == ANY or video.decoder == FRAMES:
                return _without_choice(video)
        return None

    def get_counted(self, path: Path) -> ReadableVideo | None:
        """Return the properties of a file of which only the decoder is not known."""
        for line, _, _ in self._find(path):
            if len(line.get("probe", ())) == len(ReadableVideo._fields):
                return _without_choice(ReadableVideo.from_json(line["probe"]))
        return None

    def put(self, path: Path, result: ReadableVideo | RejectedVideo) -> None:
        """Store a result, unless another attempt may end differently, or the file is gone."""
        is_kept = result.is_lasting if isinstance(result, RejectedVideo) else _is_kept(result)
        if not is_kept:
            return
        try:
            made_by = describe_software(self._decoder, self._versions)
            line: dict[str, Any] = {"path": str(path), "stamp": [*read_stamp(path), made_by]}
        except OSError:
            return
        if isinstance(result, RejectedVideo):
            line["reason"] = result.reason
        else:
            line["probe"] = result
        self.write(json.dumps(line))

    def mark_finished(self) -> None:
        """Note that this job has probed all its files; an OSError if the disk is full."""
        self.write(FINISHED)

    def _find(self, path: Path) -> Iterator[tuple[dict[str, Any], str, bool]]:
        """Yield the lines about a file that has not changed since, made with the same PyAV.

        With each, the decoder asked for, and whether the result for the one of this run is the
        same. Lines for that one come first.
        """
        decoders = sorted(self._lines, key=lambda decoder: (decoder != self._decoder, decoder))
        texts = {each: self._lines[each].get(str(path)) for each in decoders}
        stamp = read_stamp(path) if any(texts.values()) else []
        for decoder, text in texts.items():
            line = json.loads(text or "null")
            if line is None or line["stamp"][:-1] != stamp:
                continue
            versions = _parse_versions(line["stamp"][-1])
            if _choose(versions, ANY) == _choose(self._versions, ANY):
                is_equal = _choose(versions, decoder) == _choose(self._versions, decoder)
                yield line, decoder, decoder == self._decoder and is_equal


def describe_software(decoder: str, versions: dict[str, str]) -> str:
    """Return a text that is equal for runs that find the same of the same file."""
    return f"{VERSION} {decoder} {json.dumps(_choose(versions, decoder), sort_keys=True)}"


def _choose(versions: dict[str, str], decoder: str) -> dict[str, str]:
    """Return the versions that matter for a decoder: its own, and PyAV's, which counts frames."""
    needs_all = decoder in NEED_DECORD
    return {
        name: each for name, each in versions.items() if needs_all or name in (PACKAGE, decoder)
    }


def _parse_versions(made_by: str) -> dict[str, str]:
    """Return the versions of a text of `describe_software`; {} if it is not one."""
    try:
        versions = json.loads(made_by.split(" ", 2)[2])
    except (AttributeError, IndexError, json.JSONDecodeError):
        return {}
    return versions if isinstance(versions, dict) else {}


def _is_kept(video: ReadableVideo) -> bool:
    """Return whether all that is known of a file depends on the file alone."""
    return video.decoder in (*FILE_DECODERS, TORCHCODEC, FRAMES)


def _without_choice(video: ReadableVideo) -> ReadableVideo:
    """Return the properties of a file as before its decoder was chosen."""
    notes = tuple(note for note in video.notes if note != LATE_NOTE)
    return video._replace(decoder=FRAMES if video.decoder == FRAMES else "pyav", notes=notes)


def count_finished(directory: Path, jobs: int) -> int:
    """Return how many of the jobs that share the work have probed their files."""
    return sum(
        read_last_line(_file_of(directory, Share(number, jobs)), len(FINISHED)) == FINISHED
        for number in range(jobs)
    )


def _file_of(directory: Path, share: Share) -> Path:
    return directory / (FILE if share == ALONE else f"probe-cache-{share.name}.jsonl")


def _read_lines(directory: Path, wanted: Collection[str] | None) -> Lines:
    lines: Lines = {}
    files = [path for path in directory.glob(FILES) if path.is_file()]
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        with path.open(encoding="ascii", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue  # blank, or cut off when a run was killed
                if not (isinstance(line, dict) and {"path", "stamp"} < line.keys()):
                    continue
                version, decoder, *_ = f"{line['stamp'][-1]}  ".split(" ", 2)
                if version == str(VERSION) and (wanted is None or line["path"] in wanted):
                    lines.setdefault(decoder, {})[line["path"]] = text
    return lines


def read_stamp(path: Path) -> list[Any]:
    """Return what changes if a file, or a folder of frames, is changed."""
    state = path.stat()
    if stat.S_ISDIR(state.st_mode):
        return [_digest_folder(path), PIL.__version__]
    return [state.st_size, state.st_mtime_ns]


def _digest_folder(folder: Path) -> str:
    """Return a digest of names, sizes and times of the files in a folder; links are followed."""
    digest = hashlib.sha256()
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            try:
                state = entry.stat()
                facts = f"{state.st_size} {state.st_mtime_ns}"
            except OSError:
                facts = "broken link"
            digest.update(os.fsencode(entry.name) + f"/{facts}/".encode())
    return digest.hexdigest()
