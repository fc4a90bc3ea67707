"""Exports of CVAT and Label Studio, whose segments are frame numbers."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.segments.examples import (
    CVAT,
    CVAT_META,
    LABEL_STUDIO,
    TIMELINE,
    cvat_box,
    label_studio_task,
)
from tests.data.layouts.segments.read import Part, read_source, write_source
from videomae_cli.errors import DataError, UsageError


def tags(*labels: tuple[int, str], step: int = 1, attribute: str = "") -> str:
    """Return an export for images of a video task, with tags on frames."""
    meta = CVAT_META.replace(
        "<frame_filter>", f"<frame_filter>step={step}" if step > 1 else "<frame_filter>"
    )
    inside = f'<attribute name="{attribute}">{{}}</attribute>' if attribute else ""
    images = "".join(
        f'<image id="{frame}" name="frame_{frame:06}" width="9" height="9">'
        f'<tag label="{"person" if attribute else label}" source="manual">'
        f"{inside.format(label)}</tag></image>"
        for frame, label in labels
    )
    return f"{meta}{images}</annotations>"


def test_cvat_tracks_end_before_the_frame_that_is_outside(tmp_path: Path) -> None:
    source = write_source(tmp_path, "annotations.xml", CVAT, "a.mp4")

    layout, parts, _ = read_source(source)

    assert layout == "cvat"
    assert parts == [
        Part("a.mp4", "run", (1, 4, "frames")),
        Part("a.mp4", "run", (10, 12, "frames")),
        Part("a.mp4", "sit", (0, 3, "frames")),
    ]


def test_cvat_tags_on_consecutive_frames_are_one_segment(tmp_path: Path) -> None:
    content = tags((0, "run"), (1, "run"), (3, "run"), (3, "wave"), (4, "wave"), (11, "run"))
    source = write_source(tmp_path, "annotations.xml", content, "a.mp4")

    assert read_source(source).parts == [
        Part("a.mp4", "run", (0, 2, "frames")),
        Part("a.mp4", "run", (3, 4, "frames")),
        Part("a.mp4", "run", (11, 12, "frames")),
        Part("a.mp4", "wave", (3, 5, "frames")),
    ]


def test_cvat_tasks_with_a_frame_step_are_in_frames_of_the_video(tmp_path: Path) -> None:
    """The last tag stands for the frames up to the next of the task, or to the end of the task."""
    content = tags((0, "run"), (5, "run"), (10, "sit"), step=5)
    source = write_source(tmp_path, "annotations.xml", content, "a.mp4")

    assert read_source(source).parts == [
        Part("a.mp4", "run", (0, 10, "frames")),
        Part("a.mp4", "sit", (10, 12, "frames")),
    ]


def test_cvat_segments_of_an_attribute_end_where_its_value_changes(tmp_path: Path) -> None:
    actions = ["run", "run", "sit", "sit", "", "run"]
    content = (
        f'{CVAT_META}<track id="0" label="person">'
        + "".join(
            cvat_box(frame, outside=frame == 5, action=action)
            for frame, action in enumerate(actions)
        )
        + "</track></annotations>"
    )
    source = write_source(tmp_path, "annotations.xml", content, "a.mp4")

    with pytest.raises(DataError, match=r"have the label 'person': .*: action\?") as caught:
        read_source(source)
    assert caught.value.hint == "choose it: --label-column 'action'"
    assert read_source(source, "action").parts == [
        Part("a.mp4", "run", (0, 2, "frames")),
        Part("a.mp4", "sit", (2, 4, "frames")),
    ]
    tagged = tags((0, "run"), (0, "wave"), (1, "run"), (1, "wave"), attribute="action")
    source = write_source(tmp_path, "tags.xml", tagged, "a.mp4")
    assert read_source(source, "action").parts == [
        Part("a.mp4", "run", (0, 2, "frames")),
        Part("a.mp4", "wave", (0, 2, "frames")),
    ]


def test_cvat_asks_for_tracks_or_tags(tmp_path: Path) -> None:
    image = '<image id="2" name="frame_000002"><tag label="day"/></image></annotations>'
    content = CVAT.replace("</annotations>", image)
    source = write_source(tmp_path, "annotations.xml", content, "a.mp4")

    with pytest.raises(DataError, match="which kind of label is the label: tracks, tags"):
        read_source(source)
    assert read_source(source, "tags").parts == [Part("a.mp4", "day", (2, 3, "frames"))]
    assert len(read_source(source, "tracks").parts) == 3
    with pytest.raises(UsageError, match="no kind of label 'colour'"):
        read_source(source, "colour")


def test_cvat_projects_have_several_videos(tmp_path: Path) -> None:
    task = "<task><id>{}</id><stop_frame>9</stop_frame><source>{}</source></task>"
    tracks = "".join(
        f'<track id="{n}" label="{label}" task_id="{n}">{cvat_box(1)}{cvat_box(3, outside=True)}'
        "</track>"
        for n, label in enumerate(("run", "sit"))
    )
    content = (
        "<annotations><version>1.1</version><meta><project><tasks>"
        f"{task.format(0, 'a.mp4')}{task.format(1, 'b.mp4')}</tasks></project></meta>"
        f"{tracks}</annotations>"
    )
    source = write_source(tmp_path, "annotations.xml", content, "a.mp4", "b.mp4")

    assert read_source(source).parts == [
        Part("a.mp4", "run", (1, 3, "frames")),
        Part("b.mp4", "sit", (1, 3, "frames")),
    ]


def test_cvat_without_the_name_of_its_video_is_refused(tmp_path: Path) -> None:
    content = CVAT.replace("<source>a.mp4</source>", "")
    source = write_source(tmp_path, "annotations.xml", content, "a.mp4")

    with pytest.raises(DataError, match=r"xml:5: the export does not name its video"):
        read_source(source)


def test_label_studio_frames_count_from_1_and_the_last_is_included(tmp_path: Path) -> None:
    source = write_source(tmp_path, "export.json", LABEL_STUDIO, "a.mp4")

    layout, parts, _ = read_source(source)

    assert layout == "label-studio"
    assert parts == [
        Part("a.mp4", "Moving", (2, 5, "frames")),
        Part("a.mp4", "Nothing", (6, 7, "frames")),
    ]


def test_label_studio_boxes_are_there_until_they_are_not_enabled(tmp_path: Path) -> None:
    """As in the example of VideoRectangle, whose box "won't appear on next frames" after 25."""
    sequence = [
        {"frame": frame, "enabled": is_enabled, "x": 1, "y": 1, "width": 9, "height": 9}
        for frame, is_enabled in [(1, True), (18, True), (25, False), (40, True)]
    ]
    box = {
        "type": "videorectangle",
        "from_name": "box",
        "value": {"framesCount": 1051, "sequence": sequence, "labels": ["Cell"]},
    }
    source = write_source(tmp_path, "export.json", label_studio_task(box), "a.mp4")

    assert read_source(source).parts == [
        Part("a.mp4", "Cell", (0, 25, "frames")),
        Part("a.mp4", "Cell", (39, 1051, "frames")),
    ]


def test_label_studio_regions_of_the_audio_track_are_seconds(tmp_path: Path) -> None:
    region = {
        "original_length": 9.5,
        "type": "labels",
        "from_name": "tricks",
        "value": {"start": 1.5, "end": 2.75, "channel": 0, "labels": ["kickflip"]},
    }
    source = write_source(tmp_path, "export.json", label_studio_task(region), "a.mp4")

    assert read_source(source).parts == [Part("a.mp4", "kickflip", (1.5, 2.75, "seconds"))]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/data/upload/3/1a2b3c4d-a.mp4", "a.mp4"),
        ("/data/local-files/?d=clips/day%201/a.mp4", "clips/day 1/a.mp4"),
        ("https://bucket.s3.amazonaws.com/clips/a.mp4?token=x", "clips/a.mp4"),
        ("s3://bucket/any/where/a.mp4", "a.mp4"),
    ],
)
def test_label_studio_videos_are_found_by_their_urls(url: str, path: str, tmp_path: Path) -> None:
    content = label_studio_task(TIMELINE, video=url)
    source = write_source(tmp_path, "export.json", content, path)

    assert [part.path for part in read_source(source).parts] == [path]


def test_label_studio_asks_for_the_control(tmp_path: Path) -> None:
    other = TIMELINE | {"from_name": "objects"}
    choice = {"type": "choices", "from_name": "quality", "value": {"choices": ["good"]}}
    source = write_source(
        tmp_path, "export.json", label_studio_task(TIMELINE, other, choice), "a.mp4"
    )

    with pytest.raises(DataError, match="which control is the label: actions, objects"):
        read_source(source)
    parts, remarks = read_source(source, "objects")[1:]
    assert parts == [Part("a.mp4", "Moving", (2, 5, "frames"))]
    assert "results that are no segments are not used (1)" in remarks


def test_label_studio_annotations_of_several_people_are_refused(tmp_path: Path) -> None:
    tasks = json.loads(LABEL_STUDIO)
    tasks[0]["annotations"] *= 2
    source = write_source(tmp_path, "export.json", json.dumps(tasks), "a.mp4")

    with pytest.raises(DataError, match="task 1 has 2 annotations, as of several annotators"):
        read_source(source)
    tasks[0]["annotations"][1] = {**tasks[0]["annotations"][1], "was_cancelled": True}
    write_source(tmp_path, "export.json", json.dumps(tasks))
    assert len(read_source(source).parts) == 2


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"ranges": [{"start": 5, "end": 3}]}, "starts at 4 and ends before, at 3"),
        ({"ranges": [{"start": 0, "end": 3}]}, "starts at -1, before the file"),
        ({"ranges": [{"start": 1}]}, "None is not a time"),
        ({"timelinelabels": ["a", "b"]}, "2 labels: a, b"),
    ],
)
def test_a_wrong_result_of_label_studio_is_named(
    value: dict[str, object], problem: str, tmp_path: Path
) -> None:
    whole = {"ranges": [{"start": 1, "end": 3}], "timelinelabels": ["a"]} | value
    content = label_studio_task(TIMELINE | {"value": whole})
    source = write_source(tmp_path, "export.json", content, "a.mp4")

    with pytest.raises(DataError, match=rf"export\.json: task 1, result r1: .*{problem}"):
        read_source(source)
