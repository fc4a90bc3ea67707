"""Layout `label-studio`: exports of Label Studio as JSON (not JSON-MIN).

A task is a video, with annotations that have results. These are segments:

    timelinelabels   {"ranges": [{"start": 3, "end": 5}], "timelinelabels": ["run"]}: frames, of
                     which the first is 1, and `end` is the last frame of the segment
    videorectangle   {"sequence": [{"frame": 1, "enabled": true}, ...], "labels": ["run"]}: the box
                     is there from a frame that is enabled to the next that is not, included
    labels           {"start": 1.5, "end": 2.75, "labels": ["run"]}: seconds, from the audio track

With several controls (`from_name`) the user chooses: `--label-column CONTROL`. The video is the
only one in `data`; the name of an uploaded file is also tried without the eight letters that Label
Studio puts in front of it. Predictions, cancelled annotations and other results are not used.

Source: docs/source/tags/{timelinelabels,videorectangle,audio}.md of HumanSignal/label-studio on
GitHub; its regions TimelineRegion and VideoRegion count frames from 1, with both ends included.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.layouts.segments.annotated_rows import (
    Annotations,
    Format,
    Row,
    count_problems,
)
from videomae_cli.data.layouts.segments.json_file import get_list, get_number, get_object, read_json
from videomae_cli.data.layouts.segments.label_choice import choose_label
from videomae_cli.data.layouts.segments.times import Unit
from videomae_cli.data.layouts.segments.video_places import clean_name
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

_KEYS = (b'"timelinelabels"', b'"videorectangle"', b'"original_length"')
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_LOCAL = re.compile(r".*/local-files/?\?d=(?P<path>[^&]+).*")
Span = tuple[float, float, Unit]


def recognise(data: bytes) -> bool:
    """Return whether JSON has tasks with results that are segments."""
    return b'"result"' in data and b'"from_name"' in data and any(key in data for key in _KEYS)


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each segment of the chosen control."""
    counts: Counter[str] = Counter()
    found = [
        (path, number, task, result)
        for path in paths
        for number, task in enumerate(_read_tasks(path, reading), start=1)
        for result in _find_results(f"{path}: task {number}", task, counts)
    ]
    controls = dict.fromkeys(str(result.get("from_name", "")) for *_, result in found)
    source = paths[0].parent if len(paths) > 1 else paths[0]
    control = choose_label(source, "control", controls, reading)
    rows = [
        row
        for path, number, task, result in found
        if str(result.get("from_name", "")) == control
        for row in _make_rows(path, number, task, result, reading)
    ]
    remarks = [f"each row is a segment of the control {control}"]
    return Annotations(rows, [*remarks, *count_problems(counts)])


def _read_tasks(path: Path, reading: Reading) -> Sequence[Mapping[str, object]]:
    value = read_json(path, reading.encoding)
    tasks = [task for task in value if isinstance(task, dict)] if isinstance(value, list) else []
    if not tasks:
        raise DataError(f"{path}: no list of tasks", "export as JSON")
    return tasks


def _find_results(
    where: str, task: Mapping[str, object], counts: Counter[str]
) -> Iterator[Mapping[str, object]]:
    """Yield the results of a task that are segments.

    Raises:
        DataError: Several annotations describe the same video.
    """
    key = "annotations" if "annotations" in task else "completions"
    annotations = [
        one
        for one in get_list(where, task, key)
        if isinstance(one, dict) and not one.get("was_cancelled")
    ]
    if len(annotations) > 1:
        raise DataError(
            f"{where} has {len(annotations)} annotations, as of several annotators",
            "export one annotation for each task",
        )
    results = [
        one
        for part in annotations
        for one in get_list(where, part, "result")
        if isinstance(one, dict)
    ]
    segments = [result for result in results if _is_segment(result)]
    counts["tasks without segments are not used"] += not segments
    counts["results that are no segments are not used"] += len(results) - len(segments)
    yield from segments


def _is_segment(result: Mapping[str, object]) -> bool:
    value = result.get("value")
    if not isinstance(value, dict):
        return False
    kind = result.get("type")
    is_audio = kind == "labels" and {"start", "end", "labels"} <= value.keys()
    return kind in ("timelinelabels", "videorectangle") or (is_audio and "text" not in value)


def _make_rows(
    path: Path,
    number: int,
    task: Mapping[str, object],
    result: Mapping[str, object],
    reading: Reading,
) -> Iterator[Row]:
    place = f"{path}: task {number}, result {result.get('id', '')}"
    value = get_object(place, result, "value")
    kind = "timelinelabels" if result.get("type") == "timelinelabels" else "labels"
    labels = [str(label) for label in get_list(place, value, kind)]
    if len(labels) != 1 and reading.task != "multi-label":
        raise DataError(
            f"{place}: {len(labels)} labels" + (f": {', '.join(labels)}" if labels else ""),
            "label each segment once; or, to predict several: --task multi-label",
        )
    names = _find_names(place, task)
    for start, end, unit in _find_spans(place, result, value):
        yield Row(
            path,
            number,
            names,
            labels[0] if labels else None,
            (start, end),
            unit,
            cells=(str(labels),) if len(labels) != 1 else None,
            place=place,
        )


def _find_spans(
    place: str, result: Mapping[str, object], value: Mapping[str, object]
) -> Iterator[Span]:
    """Yield start and end, which is not part of it, of the segments of a result."""
    if result.get("type") == "timelinelabels":
        for one in get_list(place, value, "ranges"):
            times = one if isinstance(one, dict) else {}
            first, last = (get_number(place, times.get(key)) for key in ("start", "end"))
            yield first - 1, last, "frames"
    elif result.get("type") == "videorectangle":
        yield from _find_visible(place, value)
    else:
        start, end = (get_number(place, value[key]) for key in ("start", "end"))
        yield start, end, "seconds"


def _find_visible(place: str, value: Mapping[str, object]) -> Iterator[Span]:
    """Yield the frames in which a box is there; without an end, up to the last frame."""
    points = sorted(
        (get_number(place, one.get("frame")), one.get("enabled") is not False)
        for one in get_list(place, value, "sequence")
        if isinstance(one, dict)
    )
    first: float | None = None
    for frame, is_enabled in points:
        first = frame if first is None else first
        if not is_enabled:
            yield first - 1, frame, "frames"
            first = None
    if first is not None:
        last = get_number(place, value.get("framesCount", points[-1][0]))
        yield first - 1, max(last, points[-1][0]), "frames"


def _find_names(place: str, task: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names that the video of a task may have."""
    data = get_object(place, task, "data")
    texts = {key: _clean(value) for key, value in data.items() if isinstance(value, str)}
    videos = {
        key: name
        for key, name in texts.items()
        if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES
    } or texts
    if len({*videos.values()}) != 1:
        raise DataError(
            f"{place}: which of {', '.join(videos) or 'the data'} is the video?",
            "export tasks with one video each",
        )
    name = next(iter(videos.values()))
    base = PurePosixPath(name).name
    uploaded = _UPLOADED.sub("", base, count=1) if _UPLOADED.match(base) else ""
    return (name, uploaded) if uploaded else (name,)


def _clean(url: str) -> str:
    """Return the path in a URL, also in one of Label Studio's local files."""
    match = _LOCAL.fullmatch(url.strip())
    return clean_name(unquote(match["path"]) if match else url)


FORMAT = Format("segments of Label Studio", (".json",), recognise, read)
