"""TensorBoard and Weights & Biases, through Accelerate's trackers.

`metrics.jsonl` is written in any case and is the record; what is sent elsewhere is a copy. After a
resume TensorBoard forgets what came after the save; W&B goes on with the same run and keeps its
first value of a step.
"""

import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker, TensorBoardTracker, WandBTracker

from videomae_cli.engine.logging.metrics import Track
from videomae_cli.errors import RecipeError, TrainingError

Tracker = Literal["tensorboard", "wandb"]
PROJECT = "videomae"  # on W&B


def require_installed(names: Sequence[Tracker]) -> None:
    """Make sure that these trackers can be imported.

    Raises:
        RecipeError: One cannot.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise RecipeError(
                f"train.track: {name} is not installed",
                "pip install 'videomae[track]', or take it out of train.track; metrics.jsonl is "
                "written without it",
            )


@contextmanager
def tracking(
    names: Sequence[Tracker], run_dir: Path, settings: Mapping[str, Any], *, step: int
) -> Iterator[Track | None]:
    """Open trackers for a run, on the main process, and close them whatever happens.

    Args:
        names: Which; with none there is nothing to tell.
        run_dir: Where TensorBoard and offline W&B write.
        settings: The recipe, shown beside the curves.
        step: Where the run stands.
    """
    if not names:
        yield None
        return
    trackers = [_TRACKERS[name](run_dir, step) for name in names]

    def track(step: int, values: dict[str, float]) -> None:
        for tracker in trackers:
            tracker.log(values, step=step)

    with ExitStack() as open_ones:
        for tracker in trackers:
            _start(tracker, settings)
            open_ones.callback(tracker.finish)
        yield track


def _start(tracker: GeneralTracker, settings: Mapping[str, Any]) -> None:
    if not isinstance(tracker, WandBTracker):
        tracker.start()
        return
    import wandb

    try:
        tracker.start()
    except wandb.errors.Error as error:
        raise TrainingError(
            f"train.track: wandb does not start: {error}",
            "run `wandb login`, or set WANDB_MODE=offline",
        ) from error
    tracker.store_init_configuration(dict(settings))


def _tensorboard(run_dir: Path, step: int) -> GeneralTracker:
    return TensorBoardTracker("tensorboard", logging_dir=run_dir, purge_step=step + 1)


def _wandb(run_dir: Path, step: int) -> GeneralTracker:
    key = hashlib.sha256(str(run_dir.resolve()).encode()).hexdigest()[:16]
    return WandBTracker(PROJECT, name=run_dir.name, id=key, resume="allow", dir=str(run_dir))


_TRACKERS: dict[Tracker, Callable[[Path, int], GeneralTracker]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}
