"""Copies of the metrics for trackers; tests of an extra that is not installed are skipped."""

import importlib.util
import warnings
from pathlib import Path

import pytest

from videomae_cli.engine.logging.metrics import MetricsLog
from videomae_cli.engine.logging.trackers import open_trackers, require_installed
from videomae_cli.errors import RecipeError

NAMES = ("tensorboard", "wandb")
ABSENT = [name for name in NAMES if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_that_is_not_installed_is_refused_with_a_hint(name: str) -> None:
    if name not in ABSENT:
        pytest.skip(f"{name} is installed here")

    with pytest.raises(RecipeError, match=f"{name} is not installed") as refused:
        require_installed([name])

    assert "pip install 'videomae[track]'" in refused.value.hint


def test_tensorboard_has_the_values_of_the_log(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra videomae[track]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorboard's own dependencies
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        with open_trackers(["tensorboard"], tmp_path, {"seed": 0}, step=0) as callback:
            log = MetricsLog(tmp_path / "metrics.jsonl", callback=callback)
            for step in (10, 20):
                log.write(step, {"loss": 1 / step})
        events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")

    assert [(event.step, event.value) for event in events] == [
        (10, pytest.approx(0.1)),
        (20, pytest.approx(0.05)),
    ]


def test_wandb_can_write_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs the extra videomae[track]")
    monkeypatch.setenv("WANDB_MODE", "offline")

    with open_trackers(["wandb"], tmp_path, {"seed": 0}, step=0) as callback:
        callback(10, {"loss": 0.1})

    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
