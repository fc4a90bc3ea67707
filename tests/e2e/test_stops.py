"""Signals at bad moments, processes that die alone, resumes that ask for something else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.moments import Moment
from tests.e2e.twins import STEPS, Twins, assert_same, contents
from tests.e2e.warm import Warm, left_of, wait
from tests.notes import Notes
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.manifest import read_manifest, write_manifest
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.saving.state import read_state
from videomae_cli.engine.saving.store import newest_checkpoint, publish
from videomae_cli.errors import TrainingError
from videomae_cli.tasks.train import pretrain

TERM, USR1 = signal.SIGTERM, signal.SIGUSR1
BAD_MOMENTS = {
    "while a save is written": Moment("save", 1),
    # rank 0 validates: six videos are one part, which is computed by one process
    "in a validation, on one of two": Moment("validation", 1, ranks=(0,)),
    "while workers are started": Moment("fork", 4),  # two are for the look at fixed clips
    "a scheduler's warning, then its request": Moment("save", 1, (USR1, TERM), (0, 1)),
}
FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_MOMENTS)
def test_a_signal_at_a_bad_moment_loses_nothing(
    name: str, twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    run = tmp_path / "run"
    words = twins.started("finetune", run, train__workers=2)

    ranks = warm.start(words, world=2, hooks=[BAD_MOMENTS[name]])
    assert [wait(rank) for rank in ranks] == [75, 75], warm.text()
    assert [left_of(rank) for rank in ranks] == [[], []]
    assert "Exception ignored" not in warm.text()
    assert warm.run(["finetune", "--resume", run], world=2) == [0, 0], warm.text()

    assert_same(run, twins.untouched("finetune", 2))


@pytest.mark.slow
def test_a_signal_to_the_second_process_in_a_validation_loses_nothing(
    prepared: Path, recipes: Path, tmp_path: Path, warm: Warm
) -> None:
    twins = Twins(tmp_path, recipes, with_more_validation(prepared, tmp_path / "data"))
    run, moment = tmp_path / "run", Moment("validation", 1, ranks=(1,))
    words = twins.started("finetune", run)

    ranks = warm.start(words, world=2, hooks=[moment])
    assert [wait(rank) for rank in ranks] == [75, 75], warm.text()
    assert warm.run(["finetune", "--resume", run], world=2) == [0, 0], warm.text()

    assert_same(run, twins.untouched("finetune", 2))


def with_more_validation(prepared: Path, out: Path) -> Path:
    """Return the data with each validation video under four names: more than one part."""
    manifest, videos = read_manifest(prepared), []
    out.mkdir()
    for video in manifest.videos:
        path = manifest.video_path(video)
        names = [path] if video.split == "train" else [out / f"{n} {path.name}" for n in range(4)]
        for name in names:
            if name != path:
                name.hardlink_to(path)
            videos.append(video._replace(path=str(name)))
    write_manifest(out, root=manifest.root, videos=videos, classes=manifest.classes or (), facts={})
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (Moment("save", 1, (TERM, TERM)), 128 + TERM),  # asked twice, in the middle of a save
        (Moment("update", 6, (signal.SIGKILL,)), -signal.SIGKILL),
    ],
)
def test_one_of_two_that_is_gone_at_once_takes_the_other_along(
    moment: Moment, code: int, twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    run = tmp_path / "run"
    words = twins.started("finetune", run, train__workers=2)

    ranks = warm.start(words, world=2, hooks=[moment])
    codes = [wait(rank) for rank in ranks]
    deadline = time.monotonic() + 60  # the workers of one that was killed look for it now and then
    while any(left_of(rank) for rank in ranks) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [left_of(rank) for rank in ranks] == [[], []]
    assert codes[0] == code and codes[1] not in (0, 75), warm.text()
    assert warm.run(["finetune", "--resume", run], world=2) == [0, 0], warm.text()

    assert_same(run, twins.untouched("finetune", 2))


@pytest.mark.slow
def test_the_launcher_passes_a_signal_on_and_leaves_with_the_code_of_its_processes(
    twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    run = tmp_path / "run"
    launcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "videomae_cli"),
            *map(str, twins.started("pretrain", run, train__workers=2)),
            *("--devices", "2"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (run / ".lock").is_file():
        assert launcher.poll() is None
        time.sleep(0.01)
    ranks = _children(launcher.pid)
    launcher.terminate()
    told, _ = launcher.communicate(timeout=120)

    assert len(ranks) == 2
    assert launcher.returncode == 75, told
    assert [pid for pid in ranks if Path(f"/proc/{pid}").exists()] == []
    assert warm.run(["pretrain", "--resume", run], world=2) == [0, 0], warm.text()
    assert_same(run, twins.untouched("pretrain", 2))


@pytest.mark.slow
def test_a_run_of_two_processes_is_forked_on_one_and_refused_on_three(
    twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    whole = twins.untouched("pretrain", 2)
    before = contents(whole)

    assert warm.run(["pretrain", "--resume", whole], world=3) == [2, 2, 2]
    assert "train.batch: 4 clips do not divide among 3 processes" in warm.text()
    words = ["pretrain", "--resume", whole, "--fork", "--out", tmp_path / "fork"]
    assert warm.run([*words, "--set", "schedule.steps=10"]) == [0], warm.text()

    assert "saved on 2 processes, resuming on 1" in warm.text()
    old, new = ((run / "metrics.jsonl").read_text() for run in (whole, tmp_path / "fork"))
    assert new.startswith(old) and len(new.splitlines()) == len(old.splitlines()) + 1
    assert contents(whole) == before


@pytest.fixture(scope="module")
def stopped(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on one process that was stopped after step 6, with saves of steps 4 and 6."""
    folder = tmp_path_factory.mktemp("stopped")
    words = twins.started("pretrain", folder / "run")
    with Warm(folder / "output.txt") as warm:
        assert warm.run(words, hooks=[Moment("update", 6)]) == [75], warm.text()
    return folder / "run"


def recipe_of(run: Path, *changes: str) -> PretrainRecipe:
    return load_recipe(str(run / "recipe.yaml"), list(changes), "pretrain")


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted"])
def test_the_save_before_a_damaged_one_is_taken_and_said(
    damage: str, file: str, stopped: Path, twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    path = run / "checkpoints/step-000000006" / file
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held[:-1] if damage == "truncated" else held)
    if damage == "deleted":
        path.unlink()

    assert warm.run(["pretrain", "--resume", run]) == [0], warm.text()

    (warning,) = [line for line in warm.text().splitlines() if "skipped; using" in line]
    assert f"step-000000006: {file}" in warning
    assert warning.endswith(f"skipped; using {run / 'checkpoints/step-000000004'}")
    assert_same(run, twins.untouched("pretrain", 1))


def test_a_refused_resume_leaves_the_run_as_it_was(
    stopped: Path, prepared: Path, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(stopped, run)
    shutil.copytree(prepared, other)
    lines = (other / "manifest.csv").read_text().splitlines(keepends=True)
    (other / "manifest.csv").write_text("".join(lines[:-1]))  # one video fewer
    before = contents(run)

    for change in (f"data='{other}'", "train.micro_batch=2", "seed=1"):
        with pytest.raises(TrainingError) as refused:
            pretrain.run(recipe_of(run, change), run, Notes())
        assert "--fork" in refused.value.hint
        assert contents(run) == before

    notes = Notes()
    pretrain.run(recipe_of(run, f"data='{other}'"), tmp_path / "fork", notes, run)
    assert notes.has("changed: data (at step 6)")
    assert contents(run) == before


def test_another_decoder_is_refused_unless_forked(stopped: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    save, _ = newest_checkpoint(run / "checkpoints")
    assert save is not None
    state = json.loads((save / "state.json").read_text())
    state["identity"]["decoders"] = "decord2 0.1"  # as if it had been saved with that
    _rewrite(save, json.dumps(state))

    with pytest.raises(TrainingError, match=r"decoders changed since .*\(decord2 0\.1 -> ") as no:
        pretrain.run(recipe_of(run), run, Notes())
    assert "--fork" in no.value.hint

    notes = Notes()
    pretrain.run(recipe_of(run), tmp_path / "fork", notes, run)
    assert notes.has("changed: decoders (at step 6)")
    made, _ = newest_checkpoint(tmp_path / "fork/checkpoints")
    assert made is not None and read_state(made).identity["decoders"] != "decord2 0.1"


@pytest.mark.slow
def test_a_fork_onto_data_without_a_validation_split_goes_on(
    twins: Twins, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(prepared, other)
    lines = (prepared / "manifest.csv").read_text().splitlines(keepends=True)
    (other / "manifest.csv").write_text("".join(line for line in lines if ",val," not in line))
    assert warm.run(twins.started("finetune", run), hooks=[Moment("update", 6)]) == [75]
    save, _ = newest_checkpoint(run / "checkpoints")
    assert save is not None and read_state(save).is_due

    words = ["finetune", "--resume", run, "--fork", "--out", tmp_path / "fork", "--data", other]
    assert warm.run(words) == [0], warm.text()

    lines = read_metrics(tmp_path / "fork/metrics.jsonl")
    assert [line["step"] for line in lines if "val_loss" in line] == [3], "of the first run"
    assert lines[-1]["step"] == STEPS


def _rewrite(save: Path, state: str) -> None:
    from safetensors.torch import load_file

    tensors = {file.name: load_file(file) for file in save.glob("*.safetensors")}
    publish(save.parent, int(save.name[5:]), {**tensors, "state.json": state})


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True)
    return [int(word) for word in listed.stdout.split()]
