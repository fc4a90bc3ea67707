"""`videomae eval`: multi-view accuracy of a classifier; decodes each video once.

No video is ever replaced by another: videos that cannot be decoded are counted and named. An
interrupted evaluation continues where it stopped, and gives the same result to the bit.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from videomae_cli import atomic
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine import environment
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import digest_of
from videomae_cli.errors import CheckpointError
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.cost import Cost, measure_cost
from videomae_cli.tasks.evaluate.data import open_data, select_videos
from videomae_cli.tasks.evaluate.options import DEFAULTS, EvalOptions, choose_protocol
from videomae_cli.tasks.evaluate.parts import PartStore
from videomae_cli.tasks.evaluate.result import EvalResult
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos
from videomae_cli.tasks.load_model import load_classifier, read_checkpoint

UNFINISHED = "unfinished"


class Evaluation(NamedTuple):
    """What is evaluated."""

    loaded: Checkpoint
    classifier: Classifier
    manifest: Manifest
    """Under the labels of the checkpoint."""
    split: str
    protocol: Protocol
    folder: Path
    """Output directory."""

    def facts(self, runtime: Runtime) -> dict[str, Any]:
        """Return everything that the probabilities depend on."""
        config = self.loaded.config.model_dump(mode="json", exclude={"recipe", "software"})
        return {
            "weights": str(self.loaded.file),
            "weights_digest": digest_of(self.loaded.weights),
            "model": config,
            "data": self.manifest.digest,
            "root": str(self.manifest.root),
            "split": self.split,
            "protocol": self.protocol.as_json(),
            "precision": runtime.precision,
            "device": runtime.device.type,
            "software": environment.software(),
        }


def run(checkpoint: Path, report: Report, options: EvalOptions = DEFAULTS) -> EvalResult:
    """Evaluate a classifier; write `result.json` and `scores.npz`.

    Defaults: the data of the training run, its split `test` if it has labels, else `val`, the
    protocol of the model configuration, and an output directory beside the weights.

    Raises:
        CheckpointError: The weights are no classifier, damaged, or give no finite output, or the
            protocol is for clips of another shape.
        DataError: There is no such dataset or split, its classes differ, or no video is decodable.
        UsageError: The options contradict each other.
        Stopped: A signal asked to stop; the same command continues.
    """
    evaluation = _set_up(checkpoint, options, report)
    report.say(f"evaluating {checkpoint} on {evaluation.split} of {evaluation.manifest.folder}")
    with Runtime(options.precision) as runtime:
        facts = evaluation.facts(runtime)
        store = PartStore(evaluation.folder / UNFINISHED, facts)
        scores = _score(evaluation, store, runtime, report)
        result = _summarize(scores, evaluation)
        runtime.run_on_rank0(lambda: _write(result, scores, evaluation.manifest, facts))
        runtime.run_on_rank0(store.remove)
    for message in (*result.undecodable, *result.describe_nonfinite()):
        report.warn(message)
    report.say(result.headline())
    report.say(f"wrote {result.folder}")
    return result


def estimate(checkpoint: Path, report: Report, options: EvalOptions = DEFAULTS) -> Cost:
    """Return what `run` would cost; without data, only what the model costs.

    Raises what `run` raises before it computes.
    """
    loaded = read_checkpoint(checkpoint)
    config, classifier = loaded.config, load_classifier(loaded)
    protocol, views = choose_protocol(config, options, report), None
    if options.data is not None or (config.data and Path(config.data).is_dir()):
        manifest = open_data(config, options.data)
        clip = protocol.apply(config.clip())
        manifest, split = select_videos(config, manifest, options.split, clip, report)
        views = make_views(manifest, split, config.clip(), protocol)
    with Runtime(options.precision) as runtime:
        return measure_cost(config, classifier.to(runtime.device), protocol, runtime, views)


def _set_up(checkpoint: Path, options: EvalOptions, report: Report) -> Evaluation:
    loaded = read_checkpoint(checkpoint)
    config, classifier = loaded.config, load_classifier(loaded)
    protocol = choose_protocol(config, options, report)
    clip = protocol.apply(config.clip())
    manifest = open_data(config, options.data)
    manifest, split = select_videos(config, manifest, options.split, clip, report)
    folder = options.out or _default_dir(loaded.file, split, protocol)
    return Evaluation(loaded, classifier, manifest, split, protocol, folder)


def _score(evaluation: Evaluation, store: PartStore, runtime: Runtime, report: Report) -> Scores:
    loaded, classifier, manifest, split, protocol, _ = evaluation
    config = loaded.config
    report.say(f"{protocol} of {config.grid.frames} frames per video; {runtime.summary()}")
    return score_videos(
        classifier.to(runtime.device),
        manifest,
        split,
        make_views(manifest, split, config.clip(), protocol),
        runtime=runtime,
        report=report,
        store=store,
    )


def _default_dir(weights: Path, split: str, protocol: Protocol) -> Path:
    """Return a folder in the run directory, or beside weights that belong to no run."""
    folder = weights.parent.parent if weights.parent.name == "final" else weights.parent
    name = protocol.name or f"{protocol.clips}x{protocol.crops}"
    return folder / "eval" / f"{split}-{name}"


def _summarize(scores: Scores, evaluation: Evaluation) -> EvalResult:
    """Compute the metrics; an error names the weights."""
    try:
        metrics = scores.metrics()
    except CheckpointError as error:
        raise CheckpointError(f"{evaluation.loaded.file}: {error.message}", error.hint) from error
    _, _, manifest, split, protocol, folder = evaluation
    videos = manifest.split(split)
    nonfinite = tuple(videos[index].path for index in scores.nonfinite)
    count = len(scores.labels)
    return EvalResult(metrics, protocol, split, count, scores.undecodable, folder, nonfinite)


def _write(result: EvalResult, scores: Scores, manifest: Manifest, facts: dict[str, Any]) -> None:
    videos = manifest.split(result.split)
    with atomic.replacing(result.folder / "scores.npz") as path:
        np.savez_compressed(
            path,
            index=scores.indices,
            path=np.array([videos[index].path for index in scores.indices]),
            label=scores.labels,
            probability=scores.probabilities,
            classes=np.array(manifest.classes),
        )
    kept = {name: facts[name] for name in ("weights", "data", "precision", "software")}
    atomic.write_json(result.folder / "result.json", {**result.as_json(), **kept})
