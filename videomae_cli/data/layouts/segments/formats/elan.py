"""Layout `elan`: annotations of ELAN, `.eaf`, one file for each video.

    HEADER/MEDIA_DESCRIPTOR   the files: MEDIA_URL, RELATIVE_MEDIA_URL, MIME_TYPE, TIME_ORIGIN
    TIME_ORDER/TIME_SLOT      TIME_VALUE in milliseconds
    TIER/ANNOTATION           ALIGNABLE_ANNOTATION between two time slots, or REF_ANNOTATION, which
                              has the times of the annotation that it refers to

A tier is one kind of labels, so with several the user chooses: `--label-column TIER`. The label is
the text of the annotation. TIME_ORIGIN is the time in the media file at which the annotations
begin; it is added. Annotations without text are not used. Of several videos, the first is used,
which is ELAN's master media file.

Source: EAF Annotation Format 3.0 (www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf),
www.mpi.nl/tools/elan/EAFv3.0.xsd.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.data.layouts.segments.annotated_rows import (
    Annotations,
    Format,
    Row,
    count_problems,
)
from videomae_cli.data.layouts.segments.label_choice import choose_label
from videomae_cli.data.layouts.segments.times import parse_time
from videomae_cli.data.layouts.segments.video_places import clean_name
from videomae_cli.data.layouts.segments.xml_file import Element, read_xml
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError


class _Document(NamedTuple):
    """What of a file is needed to make rows."""

    path: Path
    names: tuple[str, ...]
    """The video."""
    origin: float
    """Time in the video at which the annotations begin, in milliseconds."""
    slots: Mapping[str, float]
    """Milliseconds of each time slot that is aligned."""
    tiers: Mapping[str, Element]
    annotations: Mapping[str, Element]
    """By their IDs."""


def recognise(data: bytes) -> bool:
    """Return whether the start of a file is that of an annotation document."""
    return b"<ANNOTATION_DOCUMENT" in data


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each annotation with text in the chosen tier."""
    counts: Counter[str] = Counter()
    documents = [_read_document(path, counts) for path in paths]
    filled = {
        name: None
        for document in documents
        for name, tier in document.tiers.items()
        if any(one.text for one in tier.find_all("ANNOTATION_VALUE"))
    }
    tier = choose_label(paths[0].parent if len(paths) > 1 else paths[0], "tier", filled, reading)
    rows = []
    for document in documents:
        if tier not in document.tiers:
            counts[f"files without the tier {tier} are not used"] += 1
            continue
        for annotation in document.tiers[tier].find_all("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
            label = _text_of(annotation)
            if label:
                rows.append(_make_row(document, annotation, label))
            else:
                counts["annotations without a text are not used"] += 1
    others = [name for name in filled if name != tier]
    remarks = [f"each row is an annotation of the tier {tier}, with its text as the label"]
    remarks += [f"tiers that are not used: {', '.join(others)}"] * bool(others)
    return Annotations(rows, [*remarks, *count_problems(counts)])


def _read_document(path: Path, counts: Counter[str]) -> _Document:
    root = read_xml(path)
    header = next(root.find_all("HEADER"), None)
    units = header.get("TIME_UNITS", "milliseconds") if header else "milliseconds"
    if units != "milliseconds":
        raise DataError(
            f"{path}: TIME_UNITS {units!r} are not read", "save it with ELAN 4 or later"
        )
    media = [one for one in root.find_all("MEDIA_DESCRIPTOR") if _is_video(one)]
    if not media:
        raise DataError(
            f"{path}: no video in MEDIA_DESCRIPTOR",
            "link the video in ELAN (Edit > Linked Files), and save the file",
        )
    counts["of files with several videos, the first is used"] += len(media) > 1
    origin = parse_time(f"{path}:{media[0].line}", media[0].get("TIME_ORIGIN", "0"))
    counts["the offset of the video (TIME_ORIGIN) is added to the times"] += origin != 0
    urls = (media[0].get("RELATIVE_MEDIA_URL"), media[0].get("MEDIA_URL"))
    return _Document(
        path,
        tuple(url for url in urls if url),
        origin,
        {
            slot.get("TIME_SLOT_ID"): parse_time(f"{path}:{slot.line}", slot.get("TIME_VALUE"))
            for slot in root.find_all("TIME_SLOT")
            if "TIME_VALUE" in slot.attributes
        },
        {tier.get("TIER_ID"): tier for tier in root.find_all("TIER")},
        {
            one.get("ANNOTATION_ID"): one
            for one in root.find_all("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")
        },
    )


def _is_video(media: Element) -> bool:
    name = clean_name(media.get("RELATIVE_MEDIA_URL") or media.get("MEDIA_URL"))
    kind = media.get("MIME_TYPE")
    return kind.startswith("video/") or Path(name).suffix.lower() in VIDEO_SUFFIXES


def _text_of(annotation: Element) -> str:
    return next((one.text for one in annotation.find_all("ANNOTATION_VALUE")), "")


def _make_row(document: _Document, annotation: Element, label: str) -> Row:
    aligned = _find_aligned(document, annotation)
    times = [document.slots.get(aligned.get(name)) for name in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")]
    start, end = times
    if start is None or end is None:
        raise DataError(
            f"{document.path}:{annotation.line}: the annotation {label!r} has no time",
            "align it in ELAN, or choose another tier",
        )
    return Row(
        document.path,
        annotation.line,
        document.names,
        label,
        (start + document.origin, end + document.origin),
        "milliseconds",
    )


def _find_aligned(document: _Document, annotation: Element) -> Element:
    """Return the annotation with the times of another, which may refer to it through others.

    Raises:
        DataError: It is one of several parts of an annotation, whose times are not written.
    """
    seen = set()
    while annotation.tag == "REF_ANNOTATION":
        name = annotation.get("ANNOTATION_REF")
        if (
            annotation.get("PREVIOUS_ANNOTATION")
            or name in seen
            or name not in document.annotations
        ):
            raise DataError(
                f"{document.path}:{annotation.line}: {_text_of(annotation)!r} has no times of its "
                "own: its tier divides annotations in parts",
                "choose another tier",
            )
        seen.add(name)
        annotation = document.annotations[name]
    return annotation


FORMAT = Format("annotations of ELAN", (".eaf",), recognise, read)
