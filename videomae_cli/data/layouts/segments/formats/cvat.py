"""Layout `cvat`: XML of CVAT, `CVAT for video 1.1` and, of tasks with a video, `CVAT for images`.

    meta    task/stop_frame, task/frame_filter (`step=5`), source (the name of the video)
    track   label, task_id; box, polygon, ...: frame, outside, with attributes
    image   id (the frame), with tags: label, and attributes

Frames count from 0 in the video. A track is a segment from a frame in which it is visible up to the
next that is `outside`. A tag on consecutive frames of the task is a segment that ends with the last
of them. The label is that of the track or tag, or an attribute, `--label-column NAME`, whose
segments end where its value changes. With tracks and tags the user chooses: `--label-column tracks`
or `tags`.

Source: docs.cvat.ai/docs/other/xml_format, and dump_as_cvat_interpolation and bindings.py of
github.com/cvat-ai/cvat, whose frame numbers are those of the video.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.segments.annotated_rows import Annotations, Format, Row
from videomae_cli.data.layouts.segments.label_choice import choose_label
from videomae_cli.data.layouts.segments.xml_file import Element, read_xml
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError

TRACKS, TAGS = "tracks", "tags"
_STEP = re.compile(r"step\s*=\s*(\d+)")


class _Task(NamedTuple):
    """What is known of the frames of a task."""

    video: str
    step: int
    """Between the frames of the task, in the video."""
    stop: int | None
    """The last frame of the task."""


class _Mark(NamedTuple):
    """A label on a frame: a tag, or the shape of a track."""

    frame: int
    label: str
    attributes: Mapping[str, str]
    line: int
    is_visible: bool = True


class _Object(NamedTuple):
    """A track, or all tags of a task; its marks are in the order of their frames."""

    path: Path
    kind: str
    task: _Task
    marks: Sequence[_Mark]


def recognise(data: bytes) -> bool:
    """Return whether the start of a file is that of the annotations of a video."""
    is_video = b"<mode>interpolation</mode>" in data or b"<source>" in data
    return b"<annotations>" in data and b"<version>1.1</version>" in data and is_video


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each stretch of frames with the same label."""
    objects = [one for path in paths for one in _read_objects(path)]
    kinds = dict.fromkeys(one.kind for one in objects)
    attributes = dict.fromkeys(
        name for one in objects for mark in one.marks for name in mark.attributes
    )
    source = paths[0].parent if len(paths) > 1 else paths[0]
    chosen = reading.label_column
    if chosen is not None and chosen not in {*kinds, *attributes}:
        labels = dict.fromkeys(mark.label for one in objects for mark in one.marks)
        raise UsageError(
            f"{source}: no kind of label {chosen!r}, and no such attribute",
            f"one of: {', '.join((*kinds, *attributes))} (labels: {', '.join(labels)})",
        )
    if chosen is None or chosen not in attributes:
        chosen = choose_label(source, "kind of label", [*kinds], reading)
        _check_labels(source, chosen, objects, [*attributes])
    rows = [row for one in objects for row in _make_rows(one, chosen)]
    others = [name for name in (*kinds, *attributes) if name != chosen]
    if chosen in attributes:
        others = [name for name in others if name not in kinds]
    remarks = [f"each row is a stretch of frames with one value of {chosen}"]
    remarks += [f"not used as labels: {', '.join(others)}"] * bool(others)
    return Annotations(rows, remarks)


def _check_labels(
    source: Path, kind: str, objects: Sequence[_Object], attributes: Sequence[str]
) -> None:
    """Raise a DataError if all labels are equal, so that an attribute is probably the class."""
    labels = {mark.label for one in objects if one.kind == kind for mark in one.marks}
    if len(labels) == 1 and attributes:
        raise DataError(
            f"{source}: all {kind} have the label {next(iter(labels))!r}: is the class an "
            f"attribute: {', '.join(attributes)}?",
            f"choose it: --label-column {attributes[0]!r}",
        )


def _make_rows(one: _Object, chosen: str) -> Iterator[Row]:
    """Yield a row for each stretch of frames; none if the object does not have the label."""
    if chosen in (TRACKS, TAGS) and one.kind != chosen:
        return
    by_value: dict[str, list[_Mark]] = defaultdict(list)
    for mark in one.marks:
        value = mark.label if chosen in (TRACKS, TAGS) else mark.attributes.get(chosen, "")
        mark = mark._replace(label=value if mark.is_visible else "")
        by_value[value if one.kind == TAGS else ""].append(mark)
    for marks in by_value.values():
        yield from _find_stretches(one, marks)


def _find_stretches(one: _Object, marks: Sequence[_Mark]) -> Iterator[Row]:
    """Yield a row for each stretch of marks with the same label; "" is no label."""
    start: _Mark | None = None
    end = 0
    for mark in marks:
        is_next = one.kind == TRACKS or mark.frame <= end
        if start is not None and (mark.label != start.label or not is_next):
            yield _make_row(one, start, mark.frame if is_next else end)
            start = None
        if mark.label and start is None:
            start = mark
        end = _find_end(one.task, mark)
    if start is not None:
        yield _make_row(one, start, end)


def _find_end(task: _Task, mark: _Mark) -> int:
    """Return the first frame after those that a mark stands for if no other follows."""
    end = mark.frame + task.step
    return end if task.stop is None else max(min(end, task.stop + 1), mark.frame + 1)


def _make_row(one: _Object, start: _Mark, end: int) -> Row:
    names = (one.task.video,)
    return Row(one.path, start.line, names, start.label, (start.frame, end), "frames")


def _read_objects(path: Path) -> list[_Object]:
    root = read_xml(path)
    tasks = _read_tasks(path, root)
    objects = []
    for track in root.find_all("track"):
        marks = [
            _read_mark(path, shape, track.get("label"), shape.get("frame"))
            for shape in track.children
            if "frame" in shape.attributes
        ]
        marks.sort(key=lambda mark: mark.frame)
        objects.append(_Object(path, TRACKS, _find_task(path, track, tasks), marks))
    tags: dict[_Task, list[_Mark]] = defaultdict(list)
    for image in root.find_all("image"):
        for tag in image.children:
            if tag.tag == "tag":
                mark = _read_mark(path, tag, tag.get("label"), image.get("id"))
                tags[_find_task(path, image, tasks)].append(mark)
    for task, marks in tags.items():
        marks.sort(key=lambda mark: mark.frame)
        objects.append(_Object(path, TAGS, task, marks))
    return objects


def _read_mark(path: Path, element: Element, label: str, frame: str) -> _Mark:
    if not frame.isdecimal():
        raise DataError(f"{path}:{element.line}: no frame number", "export it again")
    attributes = {
        child.get("name"): child.text for child in element.children if child.tag == "attribute"
    }
    is_visible = element.get("outside", "0") != "1"
    return _Mark(int(frame), label, attributes, element.line, is_visible)


def _read_tasks(path: Path, root: Element) -> dict[str, _Task]:
    """Return the tasks of an export by their IDs."""
    meta = next(root.find_all("meta"), None)
    elements = [] if meta is None else [*meta.find_all("task", "job")]
    sources = [] if meta is None else [one.text for one in meta.find_all("source") if one.text]
    tasks = {}
    for element in elements:
        texts = {child.tag: child.text for child in element.children}
        own = texts.get("source") or (sources[0] if len({*sources}) == 1 else "")
        if not own:
            raise DataError(
                f"{path}:{element.line}: the export does not name its video (<source>): the task "
                "was made of images, or of several videos",
                "export the task of a video as `CVAT for video 1.1`",
            )
        step = _STEP.search(texts.get("frame_filter", ""))
        stop = texts.get("stop_frame", "")
        tasks[texts.get("id", "")] = _Task(
            own, int(step[1]) if step else 1, int(stop) if stop.isdecimal() else None
        )
    return tasks


def _find_task(path: Path, element: Element, tasks: Mapping[str, _Task]) -> _Task:
    task = tasks.get(element.get("task_id"))
    if task is None and len(tasks) == 1:
        task = next(iter(tasks.values()))
    if task is None:
        raise DataError(
            f"{path}:{element.line}: a {element.tag} of no task in <meta>", "export it again"
        )
    return task


FORMAT = Format("tracks and tags of CVAT", (".xml",), recognise, read)
