"""Probes of a pretraining: training stays the same to the bit, and what they measure is right."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.make_clips import write_clip
from tests.e2e.test_shard import tensors_of
from tests.e2e.warm import Warm
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import Stopped
from videomae_cli.report import Silence
from videomae_cli.tasks.features.encoder import load_encoder
from videomae_cli.tasks.features.extract import extract_features, make_options
from videomae_cli.tasks.probe import pretraining
from videomae_cli.tasks.probe.probes import knn, linear
from videomae_cli.tasks.probe.samples import Target
from videomae_cli.tasks.train import pretrain

EPOCH = 3  # steps; a run has 12
Settings = list[str]


def on(data: Path, *more: str) -> Settings:
    """Return the settings of a probe in every epoch."""
    return ["eval.probe_every_epochs=1", f"eval.probe_data={json.dumps(str(data))}", *more]


def train(recipes: Path, data: Path, run: Path, settings: Settings = []) -> Notes:  # noqa: B006
    """Pretrain in this process, or resume the run."""
    notes = Notes()
    changes = [f"data={json.dumps(str(data))}", *settings]
    pretrain.run(load_recipe(str(recipes / "micro.yaml"), changes, "pretrain"), run, notes)
    return notes


def command(recipes: Path, data: Path, out: Path, settings: Settings) -> list[str]:
    words = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--data", str(data)]
    return [*words, "--out", str(out), *(word for each in settings for word in ("--set", each))]


def probes_of(run: Path) -> list[dict[str, float]]:
    log = run / "metrics.jsonl"
    lines = read_metrics(log) if log.exists() else []
    return [line for line in lines if "probe_val_videos" in line]


def text_without_probes(run: Path) -> list[str]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [line for line in lines if "probe_" not in line]


def assert_same_training(run: Path, other: Path) -> None:
    """Compare every tensor that two runs left behind, the optimizer's too, and the losses."""
    ours, its = tensors_of(run), tensors_of(other)
    assert ours.keys() == its.keys()
    assert [name for name, value in ours.items() if not torch.equal(value, its[name])] == []
    assert text_without_probes(run) == text_without_probes(other)


@pytest.fixture(scope="module")
def plain(recipes: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run without probes."""
    run = tmp_path_factory.mktemp("plain") / "run"
    train(recipes, prepared, run)
    return run


@pytest.fixture(scope="module")
def probed(recipes: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same run with probes."""
    run = tmp_path_factory.mktemp("probed") / "run"
    notes = train(recipes, prepared, run, on(prepared))
    assert notes.has("a kNN probe every epoch: 14 train and 6 val videos")
    assert notes.has("the most frequent class is 50.0 % of val")
    assert notes.has(f"step {EPOCH}: kNN probe: top-1 ")
    assert notes.warned == []
    return run


def test_a_probe_changes_nothing_of_the_training(plain: Path, probed: Path) -> None:
    assert_same_training(probed, plain)
    assert probes_of(plain) == []
    assert [line["step"] for line in probes_of(probed)] == [0, 3, 6, 9, 12]
    assert {
        (each["probe_train_videos"], each["probe_val_videos"]) for each in probes_of(probed)
    } == {(14, 6)}
    assert {each["probe_constant"] for each in probes_of(probed)} == {0.5}
    speed = [line for line in read_metrics(probed / "speed.jsonl") if "probe_seconds" in line]
    assert [line["step"] for line in speed] == [0, 3, 6, 9, 12]
    assert all(0 < line["probe_seconds"] < 60 for line in speed)


def test_the_verdict_names_the_first_and_the_last_probe(plain: Path, probed: Path) -> None:
    first, *_, last = (f"{line['probe_top1']:.1%}" for line in probes_of(probed))

    assert f"probe top-1 {first} to {last}" in (probed / "verdict.json").read_text()
    assert "probe top-1" not in (plain / "verdict.json").read_text()


@pytest.mark.parametrize("kind", ["knn", "linear"])
def test_the_last_probe_is_that_of_the_features_of_the_final_weights(
    kind: str, recipes: Path, prepared: Path, tmp_path: Path, probed: Path
) -> None:
    run = probed
    if kind == "linear":
        run = tmp_path / "run"
        few = ["schedule.steps=3", "eval.probe_kind=linear"]
        train(recipes, prepared, run, on(prepared, *few))
    with Runtime("fp32") as runtime:
        found = extract_features(
            load_encoder(str(run / "final")),
            read_manifest(prepared),
            ("train", "val"),
            tmp_path / "cache",
            runtime=runtime,
            report=Silence(),
            options=make_options(clips=1, crops=1),
        )
    is_train = np.array(found.split) == "train"
    train_target = Target("single-label", found.label_V[is_train], 2)
    fit_predict = {"knn": knn.fit_predict, "linear": linear.fit_predict}[kind]
    output_VK = fit_predict(found.feature[is_train], train_target, found.feature[~is_train], seed=0)
    top1 = float((output_VK.argmax(axis=1) == found.label_V[~is_train]).mean())

    assert probes_of(run)[-1]["probe_top1"] == pytest.approx(top1)


def interrupt(monkeypatch: pytest.MonkeyPatch, how: str, at: int) -> None:
    """Stop the run in the probe of a step: by a signal before or after it, or by a crash."""
    probe = pretraining.FeatureProbe.__call__

    def call(self: pretraining.FeatureProbe, step: int) -> dict[str, float]:
        if step == at and how != "after":
            if how == "crash":
                raise MemoryError
            os.kill(os.getpid(), signal.SIGTERM)
        figures = probe(self, step)
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return figures

    monkeypatch.setattr(pretraining.FeatureProbe, "__call__", call)


@pytest.mark.parametrize(
    ("how", "at"),
    [
        ("before", 6),
        ("after", 0),
        ("crash", 12),
        *(
            pytest.param(how, at, marks=pytest.mark.slow)
            for how, at in (("before", 0), ("before", 12), ("after", 6), ("crash", 0), ("crash", 6))
        ),
    ],
)
def test_a_run_that_ends_at_a_probe_resumes_exactly(
    how: str, at: int, recipes: Path, prepared: Path, tmp_path: Path, probed: Path
) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, how, at)
        with pytest.raises(MemoryError if how == "crash" else Stopped):
            train(recipes, prepared, run, on(prepared))
    assert len(probes_of(run)) == at // EPOCH + (how == "after")

    train(recipes, prepared, run, on(prepared))

    assert (run / "metrics.jsonl").read_text() == (probed / "metrics.jsonl").read_text()
    assert_same_training(run, probed)


def test_an_interrupted_run_can_be_probed_from_then_on(
    recipes: Path, prepared: Path, tmp_path: Path, plain: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(plain, run)
    shutil.rmtree(run / "checkpoints/step-000000012")
    shutil.rmtree(run / "final")
    (run / "verdict.json").unlink()

    train(recipes, prepared, run, on(prepared, "eval.probe_every_epochs=0.5")[1:][::-1])

    assert [line["step"] for line in probes_of(run)] == [12]
    assert_same_training(run, plain)
    assert "probe_every_epochs: 0.5" in (run / "recipe.yaml").read_text()


@pytest.mark.parametrize("shard", [pytest.param("false", marks=pytest.mark.slow), "true"])
def test_two_processes_measure_what_one_does(
    shard: str, recipes: Path, prepared: Path, tmp_path: Path, warm: Warm, probed: Path
) -> None:
    for name, settings in (("plain", []), ("probed", on(prepared))):
        words = command(recipes, prepared, tmp_path / name, [f"train.shard={shard}", *settings])
        assert warm.run(words, world=2) == [0, 0], warm.text()

    assert_same_training(tmp_path / "probed", tmp_path / "plain")
    assert probes_of(tmp_path / "probed")[0] == probes_of(probed)[0]
    assert [line["step"] for line in probes_of(tmp_path / "probed")] == [0, 3, 6, 9, 12]
    assert warm.text().count("step 3: kNN probe") == 1


def test_a_part_of_the_videos_has_both_classes_and_is_the_same_in_every_run(
    recipes: Path, prepared: Path
) -> None:
    names = []
    for seed in (0, 1):
        settings = on(prepared, "eval.probe_videos=4", f"seed={seed}")
        recipe = load_recipe(str(recipes / "micro.yaml"), settings, "pretrain")
        data = pretraining.open_labelled(recipe.eval, recipe.clip, Silence())
        names.append([video.name for video in data.videos])
        assert len(data.rows("train")) == len(data.rows("val")) == 4
        assert data.target.take(data.rows("val")).class_counts().tolist() == [2, 2]

    assert names[0] == names[1]


def test_a_list_with_values_is_probed_too(recipes: Path, prepared: Path, tmp_path: Path) -> None:
    videos = sorted((prepared.parent / "videos").rglob("*.mp4"))
    rows = ["path,split,speed"]
    rows += [f"{each},{each.parts[-3]},{number}" for number, each in enumerate(videos)]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    words = ["prepare", str(tmp_path / "list.csv"), "--out", str(tmp_path / "values")]
    assert app.run([*words, "--task", "regression", "--label-column", "speed"]) == 0

    train(recipes, prepared, tmp_path / "run", on(tmp_path / "values"))

    assert all(line["probe_r2"] < 1 for line in probes_of(tmp_path / "run"))
    assert probes_of(tmp_path / "run")[0]["probe_constant"] == pytest.approx(0)
    assert "probe R2 " in (tmp_path / "run/verdict.json").read_text()


def remove_videos(data: Path, folder: Path, is_removed: Callable[[int], bool]) -> Path:
    """Return a copy of prepared data with copies of its videos, some of which are gone."""
    videos, out = folder / "videos", folder / "data"
    shutil.copytree(prepared_videos(data), videos)
    assert app.run(["prepare", str(videos), "--out", str(out), "--workers", "1"]) == 0
    for number, path in enumerate(sorted(videos.rglob("val/*/*.mp4"))):
        if is_removed(number):
            path.unlink()
    return out


def prepared_videos(data: Path) -> Path:
    return data.parent / "videos"


def test_videos_that_cannot_be_decoded_are_named_and_left_out(
    recipes: Path, prepared: Path, tmp_path: Path, plain: Path
) -> None:
    broken = remove_videos(prepared, tmp_path, lambda number: number == 0)

    notes = train(recipes, prepared, tmp_path / "run", on(broken))

    assert {line["probe_val_videos"] for line in probes_of(tmp_path / "run")} == {5}
    assert any("1 of 20 videos left out" in text and "clip" in text for text in notes.warned)
    assert_same_training(tmp_path / "run", plain)


def test_videos_that_vanish_during_a_run_do_not_end_it(
    recipes: Path,
    prepared: Path,
    tmp_path: Path,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = remove_videos(prepared, tmp_path, lambda number: False)
    measure = pretraining.FeatureProbe.__call__

    def call(self: pretraining.FeatureProbe, step: int) -> dict[str, float]:
        if step == 6:
            shutil.rmtree(tmp_path / "videos")
        return measure(self, step)

    monkeypatch.setattr(pretraining.FeatureProbe, "__call__", call)
    notes = train(recipes, prepared, tmp_path / "run", on(data))

    assert [line["step"] for line in probes_of(tmp_path / "run")] == [0, 3]
    assert any("step 6: no probe: none of the train videos can be read" in x for x in notes.warned)
    assert_same_training(tmp_path / "run", plain)


def make_bad_data(kind: str, folder: Path, prepared: Path) -> Path:
    """Return a place with labelled videos that cannot be used."""
    if kind == "missing":
        return folder / "nowhere"
    if kind == "unreadable":
        return remove_videos(prepared, folder, lambda number: True)
    names = {
        "one class": [("train", "a"), ("val", "a"), ("val", "b")],
        "no split": [("train", "a"), ("train", "b")],
        "no labels": [("", "")],
    }[kind]
    for split, label in names:
        for number in range(2):
            write_clip(folder / "source" / split / label / f"{number}{label}.mp4", seed=number)
    words = ["prepare", str(folder / "source"), "--out", str(folder / "data"), "--workers", "1"]
    assert app.run([*words, "--val-fraction", "0.0"]) == 0
    return folder / "data"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "nowhere does not exist"),
        ("no labels", "has no labels"),
        ("no split", "has no val videos with labels"),
        ("one class", "all train videos are of one class, 'a'"),
        ("unreadable", "none of the val videos can be read"),
    ],
)
def test_data_that_cannot_be_probed_are_refused_before_training(
    kind: str,
    words: str,
    recipes: Path,
    prepared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = make_bad_data(kind, tmp_path, prepared)
    capsys.readouterr()

    assert app.run(command(recipes, prepared, tmp_path / "run", on(data))) == 3

    error = capsys.readouterr().err
    assert "eval.probe_data" in error
    assert words in error
    assert "hint: " in error
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_probes_without_data_ask_for_the_key(
    recipes: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command(recipes, prepared, tmp_path / "run", ["eval.probe_every_epochs=1"])

    assert app.run(words) == 2
    assert "--set eval.probe_data=DIR" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_dry_run_counts_the_probes(
    recipes: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command(recipes, prepared, tmp_path / "run", on(prepared))

    assert app.run([*words, "--dry-run"]) == 0
    assert ", 5 probes of " in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
