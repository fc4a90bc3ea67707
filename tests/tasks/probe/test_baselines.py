"""Baselines on small generated videos, whose labels a shortcut gives away."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from tests.notes import Notes
from videomae_cli.config.model import Task
from videomae_cli.data.manifest import Manifest, Video, write_manifest
from videomae_cli.errors import DataError
from videomae_cli.tasks.probe import video_facts
from videomae_cli.tasks.probe.baselines import make_baselines
from videomae_cli.tasks.probe.facts_cache import FILE, read_all_facts
from videomae_cli.tasks.probe.probe import collect_labelled, run_baselines
from videomae_cli.tasks.probe.samples import FeatureTable, ModelOutput
from videomae_cli.tasks.probe.video_facts import MOTION, describe_motion, read_facts

FRAMES, SIZE, VIDEOS = 12, 32, 40


def write_video(path: Path, frames_THWC: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        stream.options = {"qscale": "2"}
        for frame in frames_THWC:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Videos of a square in a random place, of a random scene; it trembles in class 1."""
    root = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    videos = []
    for number in range(VIDEOS):
        label, name = number % 2, f"{number}.avi"
        scene = np.repeat(rng.integers(40, 200, (1, 1, 1, 3)), SIZE, axis=1).repeat(SIZE, axis=2)
        frames = scene.repeat(FRAMES, axis=0).astype(np.uint8)
        top, start = (int(place) for place in rng.integers(0, 20, size=2))
        for time in range(FRAMES):
            left = start + label * 2 * (time % 2)  # the mean frame hardly differs
            frames[time, top : top + 10, left : left + 10] = 255
        write_video(root / name, frames)
        split = "val" if number >= 28 else "train"
        videos.append(Video(name, label, split, FRAMES, 10.0, SIZE, SIZE, "pyav"))
    return write_manifest(
        root / "data", root=root, videos=videos, classes=["still", "moving"], facts={}
    )


def test_motion_gives_the_label_away_and_the_other_shortcuts_do_not(
    manifest: Manifest, tmp_path: Path
) -> None:
    notes = Notes()
    data = collect_labelled(manifest, "val")
    paths = [video.path for video in manifest.split("val")]
    wrong = ModelOutput(paths, np.tile(np.float32([1, 0]), (len(paths), 1)))

    result = run_baselines(data, tmp_path, notes, model=wrong)

    scores = {score.key: score for score in result.scores}
    cross_validated = {
        key: score.cross_validated.interval.value
        for key, score in scores.items()
        if score.cross_validated
    }
    assert list(scores) == ["majority", "metadata", "mean_frame", "motion", "random"]
    assert cross_validated["motion"] == 1 and cross_validated["majority"] == 0.5
    assert result.sentence() == (
        "Your model: 50.0 %. Motion statistics alone: 100.0 %. The model is worse than this"
        f" shortcut ({result.difference and result.difference.format_difference('single-label')})."
    )
    assert notes.said[-1] == result.sentence()
    assert "5 random folds over 40 videos" in notes.said[-2]
    document = json.loads((tmp_path / "baselines.json").read_text())
    assert document["best_baseline"] == "motion" and document["model"]["top1"] == 0.5
    assert document["baselines"]["motion"]["on_split"]["videos"] == 12


def test_a_second_call_decodes_nothing_and_gives_the_same_bytes(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = collect_labelled(manifest, "val")
    read_all_facts(manifest, data.videos, Notes(), workers=0)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a video is decoded again")

    monkeypatch.setattr(video_facts, "read_video", refuse)
    for name in ("one", "two"):
        run_baselines(data, tmp_path / name, Notes())

    first, second = ((tmp_path / name / "baselines.json").read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_damaged_store_is_read_again(manifest: Manifest) -> None:
    assert manifest.folder is not None
    videos = manifest.videos[:3]
    before = read_all_facts(manifest, videos, Notes(), workers=0)
    (manifest.folder / FILE).write_bytes(b"PK\x03\x04 broken")

    after = read_all_facts(manifest, videos, Notes(), workers=0)

    assert [facts.motion.tobytes() for facts in after] == [
        facts.motion.tobytes() for facts in before
    ]


def test_videos_that_cannot_be_read_are_named_and_left_out(
    manifest: Manifest, tmp_path: Path
) -> None:
    notes = Notes()
    (tmp_path / "empty.avi").touch()
    missing = (manifest.videos[0]._replace(path=str(tmp_path / "empty.avi")),)
    broken = manifest._replace(videos=(*missing, *manifest.videos[1:]))

    result = run_baselines(collect_labelled(broken, "val"), tmp_path, notes)

    assert len(result.unreadable) == 1 and "empty.avi is empty" in notes.warned[0]
    motion = next(score for score in result.scores if score.key == "motion")
    assert motion.cross_validated is not None and motion.cross_validated.videos == VIDEOS - 1
    with pytest.raises(DataError, match=r"none of 1 videos can be read: .*empty"):
        run_baselines(collect_labelled(broken._replace(videos=missing), "val"), tmp_path, Notes())


def test_without_labels_there_is_nothing_to_predict(manifest: Manifest) -> None:
    videos = tuple(video._replace(label=None) for video in manifest.videos)

    with pytest.raises(DataError, match="no labelled videos"):
        collect_labelled(manifest._replace(videos=videos, classes=None), "val")


def test_a_data_set_without_train_is_cross_validated(manifest: Manifest, tmp_path: Path) -> None:
    videos = tuple(video._replace(split="test") for video in manifest.videos)

    result = run_baselines(
        collect_labelled(manifest._replace(videos=videos), "test"), tmp_path, Notes()
    )

    assert result.best.key == "motion"
    assert result.best.on_split == result.best.cross_validated


@pytest.mark.parametrize(("task", "constant"), [("multi-label", 0.5), ("regression", 0.0)])
def test_baselines_of_several_labels_and_of_values(
    manifest: Manifest, tmp_path: Path, task: Task, constant: float
) -> None:
    videos = tuple(
        video._replace(label=None, target=(float(video.label or 0),)) for video in manifest.videos
    )
    some = manifest._replace(videos=videos, task=task, classes=("moving",))

    result = run_baselines(collect_labelled(some, "val"), tmp_path, Notes())

    scores = {score.key: score.main for score in result.scores}
    assert scores["majority"] is not None and scores["motion"] is not None
    assert scores["majority"].interval.value == pytest.approx(constant, abs=1e-6)
    assert scores["motion"].interval.value > 0.8 and scores["motion"].auc is None
    assert result.sentence().startswith("Motion statistics alone: ")


def test_features_of_a_random_encoder_replace_the_projection(manifest: Manifest) -> None:
    data = collect_labelled(manifest, "val")
    facts = read_all_facts(manifest, data.videos, Notes(), workers=0)
    feature = np.random.default_rng(0).standard_normal((VIDEOS, 4, 6)).astype(np.float32)
    paths = tuple(video.path for video in data.videos)
    table = FeatureTable("scratch", paths, ("val",) * VIDEOS, data.target, feature, "")

    baselines = {baseline.key: baseline for baseline in make_baselines(facts, table)}

    assert baselines["random"].name == "random encoder"
    assert np.array_equal(baselines["random"].feature, feature.mean(axis=1))
    assert baselines["motion"].feature.shape == (VIDEOS, len(MOTION)) == (VIDEOS, 16)
    assert baselines["mean_frame"].feature.shape == (VIDEOS, 8 * 8 * 3)


def test_motion_statistics_of_a_pattern_computed_by_hand() -> None:
    pair_P2HW = np.zeros((8, 2, 4, 4), dtype=np.float32)
    pair_P2HW[4:, 1, 0, 3] = 0.5  # in the second half, the upper right corner becomes brighter

    values = dict(zip(MOTION, describe_motion(pair_P2HW), strict=True))

    assert values["mean difference of adjacent frames"] == pytest.approx(0.5 / 16 / 2)
    assert values["its minimum over the pairs"] == 0
    assert values["its maximum over the pairs"] == pytest.approx(0.5 / 16)
    assert values["its change from the first to the second half of the video"] == pytest.approx(
        0.5 / 16
    )
    assert values["share of pixels that change by more than 4/255"] == pytest.approx(1 / 32)
    assert values["share of the difference in the middle quarter of the picture"] == 0
    assert values["horizontal centre of the difference"] == pytest.approx(7 / 8)
    assert values["vertical centre of the difference"] == pytest.approx(1 / 8)
    assert values["horizontal spread of the difference"] == 0
    assert values["mean difference of frames an eighth of the video apart"] == 0


def test_a_video_of_one_frame_has_no_motion(tmp_path: Path) -> None:
    path = tmp_path / "one.avi"
    write_video(path, np.full((1, SIZE, SIZE, 3), 90, np.uint8))

    facts = read_facts(path, Video("one.avi", 0, "val", 1, 0.0, SIZE, SIZE, "pyav"))

    assert facts.motion[0] == 0 and np.isfinite(facts.motion).all()
    assert np.isfinite(facts.metadata).all() and facts.codec == "mpeg4 yuv420p"
