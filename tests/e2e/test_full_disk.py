"""A disk that refuses a file of a run is an error of training that names the file."""

import resource
import subprocess
import sys
from pathlib import Path

LIMIT = 200  # bytes of a file that the kernel accepts: .lock fits, environment.json does not


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


def test_a_full_disk_while_a_run_writes_environment_json(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["--recipe", str(recipes / "micro.yaml"), "--data", str(prepared), "--out", str(run)]

    done = subprocess.run(
        [sys.executable, "-m", "videomae_cli", "pretrain", *words, "--set", "train.workers=0"],
        capture_output=True,
        text=True,
        preexec_fn=limit_file_size,
    )

    assert done.returncode == 5, done.stderr
    assert f"{run / 'environment.json'} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in run.iterdir()) == [".lock"], "no run is left behind"
