"""The digests of `fingerprint.py` repeat themselves, and another seed changes those that matter."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fingerprint.py")
pytestmark = pytest.mark.slow


def fingerprint(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--quick", *map(str, words)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = tmp_path_factory.mktemp("fingerprint") / "first.json"
    done = fingerprint("--json", record)
    assert done.returncode == 0, done.stdout
    return record


def test_the_same_version_gives_the_same_digests_again(first: Path) -> None:
    done = fingerprint("--against", first)

    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(
        f"{len(json.loads(first.read_text()))} same, 0 reworded, 0 DIFFERS\n"
    )


def test_another_seed_changes_weights_masks_and_metrics_but_not_the_data(first: Path) -> None:
    done = fingerprint("--against", first, "--seed", "1")

    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    result = {row[3]: row[0] for row in rows if len(row) == 4}
    run = "runs/tube"
    changed = [f"{run}/metrics.jsonl", f"{run}/final/model.safetensors", f"{run}/recipe.yaml"]
    changed += [f"{run}: {what} of each step" for what in ("clips", "masks", "losses", "tokens")]
    changed += [f"{run}/checkpoints/step-000000005/optimizer.safetensors"]
    assert done.returncode == 1
    assert {result[name] for name in changed} == {"DIFFERS"}
    assert result["data/manifest.csv"] == "same"


def test_new_words_are_reported_and_do_not_fail(
    first: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)  # as for a script
    compare = runpy.run_path(str(SCRIPT))["compare"]
    digests = json.loads(first.read_text())
    words = next(name for name in digests if name.endswith(".words"))

    assert compare({**digests, words: "others"}, digests) == 0
    assert "1 reworded, 0 DIFFERS" in capsys.readouterr().out
    assert compare({**digests, "data/manifest.csv": "others"}, digests) == 1
