"""A disk that refuses a file of a run is an error of training that names the file."""

import resource
from pathlib import Path

import pytest

from videomae_cli.cli import app

LIMIT = 200  # bytes of a file that the kernel accepts: .lock fits, environment.json does not


def test_a_full_disk_while_a_run_writes_environment_json(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["--recipe", str(recipes / "micro.yaml"), "--data", str(prepared), "--out", str(run)]
    former = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, former[1]))
    try:
        code = app.run(["pretrain", *words, "--set", "train.workers=0"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)

    error = capsys.readouterr().err
    assert code == 5, error
    assert f"{run / 'environment.json'} cannot be written" in " ".join(error.split())
    assert "Traceback" not in error
    assert sorted(path.name for path in run.iterdir()) == [".lock"], "no run is left behind"
