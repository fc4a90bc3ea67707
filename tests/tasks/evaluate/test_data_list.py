"""Lists of videos are evaluated as they are, with the labels and pixels of prepared data."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.data.make_clips import write_clip
from tests.notes import CLASSIFIER, Notes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError, UsageError
from videomae_cli.models.build import BUILDERS
from videomae_cli.report import Silence
from videomae_cli.tasks.evaluate.data import relabel
from videomae_cli.tasks.evaluate.data_list import ListedVideos, is_prepared, open_list
from videomae_cli.tasks.evaluate.dumps.mmaction2 import write_mmaction2
from videomae_cli.tasks.evaluate.dumps.read_dump import read_dump
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable
from videomae_cli.tasks.evaluate.dumps.v1_text import write_v1_text
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

NAMES = ("abseiling", "air drumming", "zumba")
IDS = ("__NrybzYzUg", "-0qVS0E3ku4", "AbCdEfGhIjK")  # as on YouTube
FRAMES = 6


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kinetics clips in class folders, with the times in their names."""
    root = tmp_path_factory.mktemp("kinetics")
    clip = write_clip(root / "val" / "abseiling" / "clip.mp4", FRAMES, height=32, width=48)
    for number, name in enumerate(IDS):
        folder = root / "val" / NAMES[number].replace(" ", "_")
        folder.mkdir(exist_ok=True)
        shutil.copyfile(clip, folder / f"{name}_000010_000020.mp4")
    clip.unlink()
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the list of every test is written, so that its videos are decoded only once."""
    return tmp_path_factory.mktemp("lists")


@pytest.fixture(autouse=True)
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder / "cache"


def write_list(folder: Path, rows: Sequence[Sequence[object]], separator: str = " ") -> Path:
    path = folder / "kinetics.txt"
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))
    return path


def write_names(folder: Path, names: Sequence[str] = NAMES) -> Path:
    path = folder / "label_map.txt"
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def rows(labels: Sequence[object] = (0, 1, 2)) -> list[tuple[object, ...]]:
    return [(name, FRAMES, label) for name, label in zip(IDS, labels, strict=True)]


def class_names(manifest: Manifest) -> list[str]:
    assert manifest.classes is not None
    return [manifest.classes[v.label] for v in manifest.videos if v.label is not None]


def test_a_list_of_ids_counts_and_labels_is_read_with_any_separator(
    folder: Path, videos: Path
) -> None:
    names = write_names(folder)
    for separator in (",", " ", "\t"):
        path = write_list(folder, rows((2, 0, 2)), separator)

        manifest, rejected = open_list(path, Silence(), root=videos, label_map=names)

        assert [Path(video.path).name[:11] for video in manifest.videos] == list(IDS)
        assert class_names(manifest) == ["zumba", "abseiling", "zumba"]
        assert {video.split for video in manifest.videos} == {"test"}
        assert (manifest.classes, rejected) == (NAMES, ())


@pytest.mark.parametrize(
    "lines",
    [
        ("0 abseiling", "1 air drumming", "2 zumba"),
        ("zumba 2", "abseiling 0", "air drumming 1"),
        ("zumba,2", "abseiling,0", "air drumming,1"),
        ("abseiling\t0", "air drumming\t1", "zumba\t2"),
        ("id,name", "0,abseiling", "1,air drumming", "2,zumba"),
    ],
)
def test_a_label_map_has_names_and_numbers_in_either_order(
    folder: Path, videos: Path, lines: Sequence[str]
) -> None:
    path, names = write_list(folder, rows()), write_names(folder, lines)

    manifest, _ = open_list(path, Silence(), root=videos, label_map=names)

    assert manifest.classes == NAMES
    assert class_names(manifest) == list(NAMES)


def test_rows_and_pixels_are_those_of_prepared_data(folder: Path, videos: Path) -> None:
    path, names = write_list(folder, rows()), write_names(folder)
    options = PrepareOptions(root=videos, classes=str(names), split="test", workers=1)
    prepared = run(path, folder / "prepared", Silence(), options).manifest

    manifest, _ = open_list(path, Silence(), root=videos, label_map=names)

    assert (manifest.root, manifest.videos) == (prepared.root, prepared.videos)
    assert manifest.digest == prepared.digest
    clip, protocol = ClipSpec(frames=2, stride_frames=2, size=16), Protocol(2, 3)
    one, other = (
        EvalViews(m.split("test"), m.root, clip, protocol)[0].views for m in (manifest, prepared)
    )
    assert len(one) == 6 and torch.equal(one, other)


def test_videos_are_checked_once(folder: Path, videos: Path, cache: Path) -> None:
    path, names = write_list(folder, rows()), write_names(folder)
    first, _ = open_list(path, Silence(), root=videos, label_map=names)
    notes = Notes()

    second, _ = open_list(path, notes, root=videos, label_map=names)

    assert second == first
    assert notes.has("3 of 3 files are unchanged since an earlier run")
    assert notes.said[-1] == f"{path}: 3 videos, 0 rejected"
    assert first.folder is not None and first.folder.is_relative_to(cache)
    assert is_prepared(first.folder) and not is_prepared(path)


def test_videos_that_cannot_be_used_are_named(folder: Path, videos: Path) -> None:
    path = write_list(folder, [*rows(), ("absent_clip", 6, 1)])

    listed = open_list(path, Silence(), root=videos, label_map=write_names(folder))

    assert isinstance(listed, ListedVideos)
    assert listed.rejected == (("absent_clip", "no such file"),)
    assert len(listed.manifest.videos) == 3


def test_numbers_without_a_label_map_are_those_of_the_checkpoint(
    folder: Path, videos: Path
) -> None:
    path = write_list(folder, rows((0, 2, 2)))

    manifest, _ = open_list(path, Silence(), root=videos, known=NAMES)

    assert manifest.classes == ("0", "1", "2")
    assert class_names(manifest) == ["0", "2", "2"]


def test_names_without_a_label_map_are_classes(folder: Path, videos: Path) -> None:
    paths = sorted(file.relative_to(videos).as_posix() for file in videos.rglob("*.mp4"))
    lists = [(path, name) for path, name in zip(paths, ("zumba", "run", "zumba"), strict=True)]

    manifest, _ = open_list(write_list(folder, lists), Silence(), root=videos, known=NAMES)

    assert class_names(manifest) == ["zumba", "run", "zumba"]


def test_labels_become_those_of_the_checkpoint_by_name(folder: Path, videos: Path) -> None:
    path = write_list(folder, rows())
    names = write_names(folder, ("up", "left", "right"))
    manifest, _ = open_list(path, Silence(), root=videos, label_map=names)

    relabelled = relabel(CLASSIFIER, manifest, Silence())

    assert CLASSIFIER.classes == ("left", "right", "up")
    assert [video.label for video in relabelled.videos] == [2, 0, 1]


def test_a_label_map_of_other_names_than_the_checkpoint_is_refused(
    folder: Path, videos: Path
) -> None:
    path = write_list(folder, rows())
    manifest, _ = open_list(path, Silence(), root=videos, label_map=write_names(folder))

    with pytest.raises(DataError, match="its classes are not those of the checkpoint"):
        relabel(CLASSIFIER, manifest, Silence())


def test_scores_of_a_list_are_read_back_from_every_form(folder: Path, videos: Path) -> None:
    path, names = write_list(folder, rows()), write_names(folder, ("up", "left", "right"))
    listed, _ = open_list(path, Silence(), root=videos, label_map=names)
    manifest = relabel(CLASSIFIER, listed, Silence())
    protocol, clip = Protocol(clips=2, crops=3), CLASSIFIER.clip()
    torch.manual_seed(0)
    classifier = BUILDERS["classifier"](CLASSIFIER)
    views = make_views(manifest, "test", clip, protocol)
    with Runtime("fp32", cpu=True) as runtime:
        scores = score_videos(
            classifier,
            CLASSIFIER,
            views,
            runtime=runtime,
            report=Silence(),
            title="testing",
            keep_views=True,
        )
    assert scores.views is not None
    table = ScoreTable(scores.output_VK, label_V=scores.target)

    paths = [video.path for video in manifest.videos]
    write_v1_text(folder / "v1", paths, scores.target, scores.views, protocol.crops)
    write_mmaction2(folder / "result.pkl", table, (clip.size, clip.size))

    for dump in map(read_dump, (folder / "v1", folder / "result.pkl")):
        assert dump.probability_VK.tobytes() == scores.output_VK.tobytes()
        assert dump.label_V is not None
        again = scores._replace(target=dump.label_V, output_VK=dump.probability_VK)
        assert again.metrics() == scores.metrics()


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ((0, 1, 3), NAMES, r"kinetics\.txt:3: label 3 is out of range: 3 classes are numbered 0"),
        ((0, 1, 2), ("a", "b", "a"), r"label_map\.txt: 'a' occurs twice"),
        ((0, 1, 2), ("0 a", "1 b", "3 c"), "without gaps: 2 is missing"),
        ((0, 1, 2), ("0 a", "1 b", "1 c"), "'b' and 'c' have the same index, 1"),
        ((0, 1, 2), (), r"label_map\.txt: no names"),
        (("run", "sit", "run"), ("run", "jump"), "'sit' is not one of the 2 classes"),
    ],
)
def test_a_label_map_that_does_not_fit_is_refused(
    folder: Path, videos: Path, labels: Sequence[object], names: Sequence[str], words: str
) -> None:
    lines = rows(labels)
    if isinstance(labels[0], str):
        lines = [(f"{name}.mp4", label) for name, label in zip(IDS, labels, strict=True)]
    path, label_map = write_list(folder, lines), write_names(folder, names)

    with pytest.raises(DataError, match=words):
        open_list(path, Silence(), root=videos, label_map=label_map)


def test_missing_files_and_an_unwritable_cache_are_named(
    folder: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_list(folder, rows())
    with pytest.raises(DataError, match=r"absent\.txt does not exist"):
        open_list(folder / "absent.txt", Silence())
    with pytest.raises(DataError, match="400 is not a file"):
        open_list(path, Silence(), label_map=Path("400"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    with pytest.raises(UsageError) as caught:
        open_list(path, Silence(), root=videos)

    assert "set XDG_CACHE_HOME" in caught.value.hint
