"""Each finding is about the right videos, and healthy ones cause none."""

import pytest

from tests.tasks.prepare.health.items import HEALTH, data_set, found, item
from videomae_cli.tasks.prepare.health.finding import RejectedItem


def test_healthy_videos_cause_no_finding() -> None:
    assert found(data_set(item("a"), item("b", "3 video streams, stream 0 used"))) == {}


@pytest.mark.parametrize(
    ("name", "severity", "sick", "well", "detail"),
    [
        (
            "damaged",
            "warning",
            item("x", health=HEALTH._replace(damaged=3)),
            item("y"),
            "3 frames marked as damaged",
        ),
        (
            "black",
            "warning",
            item("x", health=HEALTH._replace(black=0.5)),
            item("y", health=HEALTH._replace(black=0.49)),
            "50% of the frames",
        ),
        (
            "frozen",
            "warning",
            item("x", health=HEALTH._replace(frozen=0.8)),
            item("y", health=HEALTH._replace(frozen=0.79)),
            "80% of the frames",
        ),
        (
            "sparse-key-frames",
            "note",
            item("x", health=HEALTH._replace(key_distance=65)),
            item("y", health=HEALTH._replace(key_distance=64)),
            "65 frames",
        ),
        ("short", "warning", item("x", frames=63), item("y", frames=64), "63 frames"),
        (
            "variable-rate",
            "warning",
            item("x", "variable frame rate"),
            item("y"),
            "variable frame rate",
        ),
        ("hdr", "warning", item("x", "HDR (HLG)"), item("y"), "HDR (HLG)"),
        ("interlaced", "warning", item("x", "interlaced"), item("y"), "interlaced"),
        (
            "non-square-pixels",
            "note",
            item("x", "non-square pixels (4:3)"),
            item("y"),
            "non-square pixels (4:3)",
        ),
        (
            "unusual-sizes",
            "note",
            item("x", width=111, height=200),
            item("y", width=112, height=336),
            "111 x 200 pixels",
        ),
        (
            "unusual-sizes",
            "note",
            item("x", width=343, height=114),
            item("y", width=342, height=114),
            "343 x 114 pixels",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_finding_names_the_videos_beyond_its_limit(
    name: str, severity: str, sick: object, well: object, detail: str
) -> None:
    findings = found(data_set(item(), sick, well))  # type: ignore[arg-type]

    assert list(findings) == [name]
    finding = findings[name]
    assert (finding.severity, finding.number) == (severity, 1)
    assert finding.examples == (("x", detail),)
    assert finding.text.startswith("1 video ") and finding.action


def test_frames_rates_that_differ_much_are_compared_with_the_usual_one() -> None:
    near, far = item("near", fps=30.0), item("far", fps=50.0)

    assert found(data_set(item("a"), item("b"), near)) == {}
    finding = found(data_set(item("a"), item("b"), near, far))["mixed-rates"]
    assert finding.number == 1 and finding.examples == (("far", "50 frames per second"),)
    assert "from 25 to 50 per second: a clip of 64 frames lasts 1.3 to 2.6 s" in finding.text
    # folders of frames have no rate
    assert found(data_set(item("a"), item("b", fps=0.0))) == {}


def test_a_rate_of_less_than_a_frame_in_a_minute_is_reported_as_it_is() -> None:
    finding = found(data_set(item("a"), item("b"), item("slow", fps=0.001)))["mixed-rates"]

    assert finding.examples == (("slow", "0.001 frames per second"),)
    assert "from 0.001 to 25 per second: a clip of 64 frames lasts 2.6 to 64000.0 s" in finding.text


def test_rejected_videos_are_an_error_beyond_the_budget() -> None:
    reasons = {"x": "is empty", "y": "is empty", "z": "no video stream"}
    rejected = tuple(RejectedItem(path, reason) for path, reason in reasons.items())
    data = data_set(item("a"), item("b"), rejected=rejected)

    finding = found(data)["rejected"]
    assert finding.severity == "warning" and finding.number == 3
    assert "3 of 5 videos cannot be used (60.0%): 2 x is empty; 1 x no video" in finding.text
    assert found(data._replace(max_bad=0.6))["rejected"].severity == "warning"
    over = found(data._replace(max_bad=0.59))["rejected"]
    assert over.severity == "error" and "--max-bad allows 59.0%" in over.text


def test_a_split_without_any_usable_video_is_an_error() -> None:
    rejected = (RejectedItem("x", "is empty", "val"), RejectedItem("y", "is empty", "train"))

    findings = found(data_set(item("a"), rejected=rejected))

    assert findings["empty-splits"].severity == "error"
    assert findings["empty-splits"].examples == (("x", "is empty"),)
    assert "no video of val can be used" in findings["empty-splits"].text
    assert "empty-splits" not in found(
        data_set(item("a", split="val"), item("b"), rejected=rejected)
    )


def test_classes_without_videos_are_named() -> None:
    items = [
        item("a", label=0),
        item("b", label=2),
        item("c", label=0, split="val"),
        item("d", label=1, split="val"),
    ]
    data = data_set(*items, classes=("run", "sit", "jump", "fly"))

    findings = found(data)

    untrained = findings["classes-missing-in-train"]
    assert untrained.severity == "error"
    assert [example.path for example in untrained.examples] == ["sit", "fly"]
    unseen = findings["classes-missing-in-val"]
    assert unseen.severity == "warning"
    assert [example.path for example in unseen.examples] == ["jump"]
    assert unseen.text == "1 of 4 classes without a video in val: their accuracy is not measured"
    # values of a regression are no classes, and nothing is missing without a val split
    assert found(data._replace(task="regression")) == {}
    assert "classes-missing-in-val" not in found(data._replace(items=tuple(items[:2])))


def test_rare_classes_are_compared_with_the_most_frequent_one() -> None:
    often = [item(f"often {number}", label=0) for number in range(20)]
    rare = [item("rare 1", label=1), item("rare 2", label=1)]
    data = data_set(*often, *rare, item("third", label=2), classes=("a", "b", "c"))

    finding = found(data)["class-imbalance"]

    assert finding.examples == (("c", "1 video"), ("b", "2 videos"))
    assert "class-imbalance" not in found(data._replace(items=(*often[:9], *rare[:1])))


def test_several_labels_of_a_video_all_count() -> None:
    both, one = item("a", target=(1.0, 1.0, 0.0)), item("b", target=(1.0, 0.0, 0.0))

    findings = found(data_set(both, one, classes=("x", "y", "z"), task="multi-label"))

    assert [example.path for example in findings["classes-missing-in-train"].examples] == ["z"]


def test_at_most_ten_examples_are_kept_the_worst_first() -> None:
    finding = found(data_set(*(item(f"{n}", frames=60 - n) for n in range(12))))["short"]

    assert finding.number == 12
    assert [example.path for example in finding.examples] == [f"{n}" for n in range(11, 1, -1)]


def test_errors_come_first_and_notes_last() -> None:
    slow = item("slow", health=HEALTH._replace(key_distance=250), label=0, frames=30)

    names = list(found(data_set(slow, classes=("a", "b"))))

    assert names == ["classes-missing-in-train", "short", "sparse-key-frames"]
