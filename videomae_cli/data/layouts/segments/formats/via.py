"""Layout `via`: VIA 3, the VGG Image Annotator of video: projects (JSON) and their export as CSV.

    file       {"1": {"fname": "a.mp4", "loc": 1, "src": ""}}
    view       {"1": {"fid_list": ["1"]}}
    attribute  {"1": {"aname": "action", "type": 4, "options": {"0": "run", "1": "jump"}}}
    metadata   {"1_x7G": {"vid": "1", "z": [0.5, 3.25], "xy": [], "av": {"1": "0"}}}

`z` with two times, in seconds, is a segment; with one time a frame, with none a whole file: these
are not used. `av` gives the value of attributes: the key of an option, or a text. With several
attributes the user chooses: `--label-column action`. A checkbox can have several values (`0,1`).

Source: doc/data_model.md and _via_import_export.js of gitlab.com/vgg/via (via-3.x.y).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.segments.annotated_rows import (
    Annotations,
    Format,
    Row,
    count_problems,
)
from videomae_cli.data.layouts.segments.csv_rows import read_csv_cells
from videomae_cli.data.layouts.segments.json_file import (
    get_list,
    get_number,
    get_object,
    get_text,
    read_json,
)
from videomae_cli.data.layouts.segments.label_choice import choose_label
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

MARK = b"# Exported using VGG Image Annotator"
CHECKBOX = 2
OTHERS = "annotations of single frames or whole files are not used"


class _Attribute(NamedTuple):
    """A kind of label, with the texts of its options."""

    name: str
    options: Mapping[str, str]
    is_checkbox: bool = False


class _Region(NamedTuple):
    """An annotation: its video, its times in seconds, and the values of its attributes."""

    path: Path
    line: int
    place: str
    names: tuple[str, ...]
    times: Sequence[object]
    values: Mapping[str, str]
    attributes: Mapping[str, _Attribute]
    """Of its file, by their IDs."""


def recognise(data: bytes) -> bool:
    """Return whether a file is a project or an export of VIA 3."""
    if data.lstrip(b"\xef\xbb\xbf").startswith(MARK):
        return b"temporal_" in data
    keys = (b'"attribute"', b'"file"', b'"metadata"', b'"view"', b'"fid_list"')
    return all(key in data for key in keys)


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each segment, with the chosen attribute as its label."""
    counts: Counter[str] = Counter()
    regions = []
    for path in paths:
        is_csv = path.read_bytes()[:200].lstrip(b"\xef\xbb\xbf").startswith(MARK)
        for region in (_read_export if is_csv else _read_project)(path, reading):
            if len(region.times) == 2:
                regions.append(region)
            else:
                counts[OTHERS] += 1
    filled = {
        region.attributes[key].name: None
        for region in regions
        for key, value in region.values.items()
        if value
    }
    source = paths[0].parent if len(paths) > 1 else paths[0]
    name = choose_label(source, "attribute", filled, reading)
    rows = [row for region in regions for row in _make_rows(region, name, reading, counts)]
    return Annotations(
        rows,
        [f"each row is a segment with its attribute {name} as the label", *count_problems(counts)],
    )


def _make_rows(region: _Region, name: str, reading: Reading, counts: Counter[str]) -> Iterator[Row]:
    """Yield the row of a region; none if it has no value of the attribute."""
    key = next((key for key, one in region.attributes.items() if one.name == name), "")
    value = region.values.get(key, "")
    if not value:
        counts[f"segments without the attribute {name} are not used"] += 1
        return
    attribute = region.attributes[key]
    values = value.split(",") if attribute.is_checkbox else [value]
    labels = [attribute.options.get(one, one) for one in values]
    if len(labels) > 1 and reading.task != "multi-label":
        raise DataError(
            f"{region.place}: several labels, {', '.join(labels)}",
            "to predict several: --task multi-label",
        )
    start, end = (get_number(region.place, time) for time in region.times)
    yield Row(
        region.path,
        region.line,
        region.names,
        labels[0],
        (start, end),
        cells=(str(labels),) if len(labels) > 1 else None,
        place=region.place,
    )


def _read_project(path: Path, reading: Reading) -> Iterator[_Region]:
    project = read_json(path, reading.encoding)
    where = str(path)
    files = get_object(where, project, "file")
    views = get_object(where, project, "view")
    attributes = _read_attributes(where, get_object(where, project, "attribute"))
    metadata = get_object(where, project, "metadata")
    for number, (name, region) in enumerate(metadata.items(), start=1):
        place = f"{path}: {name}"
        view = get_object(place, views, get_text(place, region, "vid"))
        listed = get_list(place, view, "fid_list")
        if len(listed) != 1:
            raise DataError(f"{place}: {len(listed)} files in one view", "use a view for each file")
        file = get_object(place, files, str(listed[0]))
        names = tuple(str(file[key]) for key in ("fname", "src") if _is_name(file.get(key)))
        times = get_list(place, region, "z")
        values = _read_values(place, get_object(place, region, "av"), attributes)
        yield _Region(path, number, place, names, times, values, attributes)


def _is_name(value: object) -> bool:
    """Return whether a value names a file, and does not contain it as a data: URL."""
    return isinstance(value, str) and bool(value) and not value.startswith("data:")


def _read_attributes(where: str, attributes: Mapping[str, object]) -> dict[str, _Attribute]:
    """Return the attributes by their IDs; older exports give their names only."""
    found = {}
    for key, attribute in attributes.items():
        if isinstance(attribute, str):
            found[key] = _Attribute(attribute, {})
            continue
        options = get_object(where, attribute, "options")
        found[key] = _Attribute(
            get_text(where, attribute, "aname"),
            {option: str(text) for option, text in options.items()},
            isinstance(attribute, dict) and attribute.get("type") == CHECKBOX,
        )
    return found


def _read_values(
    place: str, values: Mapping[str, object], attributes: Mapping[str, _Attribute]
) -> dict[str, str]:
    unknown = [key for key in values if key not in attributes]
    if unknown:
        raise DataError(f"{place}: no attribute {unknown[0]!r} in the file", "export it again")
    return {key: str(value).strip() for key, value in values.items()}


def _read_export(path: Path, reading: Reading) -> Iterator[_Region]:
    """Yield the rows of a CSV export, whose header is in a comment."""
    content = read_text(path, reading.encoding).content
    comments = dict(re.findall(r"^# (\w+) = (.*?)\s*$", content, re.MULTILINE))
    header = [name.strip() for name in comments.get("CSV_HEADER", "").split(",")]
    text = comments.get("ATTRIBUTE") or comments.get("ATTRIBUTES") or "{}"
    attributes = _read_attributes(str(path), _parse_object(f"{path}: # ATTRIBUTE", text))
    body = re.sub(r"^#.*", "", content, flags=re.MULTILINE)  # the numbers of lines stay
    for line, cells in read_csv_cells(path, body):
        place = f"{path}:{line}"
        if len(cells) != len(header):
            raise DataError(f"{place}: {len(cells)} cells, but CSV_HEADER has {len(header)}")
        row = dict(zip(header, cells, strict=True))
        names = _parse_list(place, row["file_list"])
        if len(names) != 1:
            raise DataError(f"{place}: {len(names)} files in one view", "use a view for each file")
        if "temporal_coordinates" in row:
            times = _parse_list(place, row["temporal_coordinates"])
        else:
            times = [row["temporal_segment_start"], row["temporal_segment_end"]]
        values = _parse_object(place, row["metadata"])
        known = attributes or {key: _Attribute(key, {}) for key in values}
        yield _Region(
            path, line, place, (str(names[0]),), times, _read_values(place, values, known), known
        )


def _parse_object(place: str, text: str) -> dict[str, object]:
    """Return the object that a cell contains as JSON."""
    value = _parse(text)
    if not isinstance(value, dict):
        raise DataError(f"{place}: {text!r} is not a JSON object", "export it again")
    return value


def _parse_list(place: str, text: str) -> list[object]:
    """Return the list that a cell contains as JSON."""
    value = _parse(text)
    if not isinstance(value, list):
        raise DataError(f"{place}: {text!r} is not a JSON list", "export it again")
    return value


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


FORMAT = Format("segments of VIA 3", (".json", ".csv"), recognise, read)
