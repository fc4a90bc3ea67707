"""`videomae eval`: multi-view metrics of a classifier; decodes each video once.

No video is ever replaced by another: videos that cannot be decoded are counted and named. An
interrupted evaluation continues where it stopped, and gives the same result to the bit.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.checkpoints.untrained_head import is_untrained_head
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine import environment
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import digest_of
from videomae_cli.errors import CheckpointError, DataError
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.cost import Cost, measure_cost
from videomae_cli.tasks.evaluate.data import open_data, select_videos
from videomae_cli.tasks.evaluate.dumps.mmaction2 import describe_missing_rows
from videomae_cli.tasks.evaluate.options import DEFAULTS, EvalOptions, choose_protocol
from videomae_cli.tasks.evaluate.output import Extras, Sections, check_output, write_output
from videomae_cli.tasks.evaluate.parts import PartStore
from videomae_cli.tasks.evaluate.result import EvalResult
from videomae_cli.tasks.evaluate.scores import Failure, Scores
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos
from videomae_cli.tasks.load_model import load_classifier, read_checkpoint

UNFINISHED, BASELINES = "unfinished", "baselines.json"


class Evaluation(NamedTuple):
    """What is evaluated."""

    loaded: Checkpoint
    classifier: Classifier
    protocol: Protocol
    manifest: Manifest
    """Under the labels of the checkpoint."""
    split: str
    folder: Path
    """Output directory."""
    rejected: tuple[Failure, ...] = ()
    """Videos of a list that were found to be unusable when it was read."""
    group_V: NDArray[Any] | None = None
    """The source of each video of the split, for intervals over sources."""

    @property
    def views(self) -> EvalViews:
        """The test views of all videos."""
        return make_views(self.manifest, self.split, self.loaded.config.clip(), self.protocol)

    def facts(self, runtime: Runtime) -> dict[str, Any]:
        """Return everything that the scores depend on."""
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


def run(
    checkpoint: Path,
    report: Report,
    options: EvalOptions = DEFAULTS,
    extras: Extras | None = None,
) -> EvalResult:
    """Evaluate a classifier; write `result.json`, `scores.npz` and `report.html`.

    Defaults: the data of the training run, its split `test` if it has labels, else `val`, the
    protocol of the model configuration, and an output directory beside the weights. `extras`
    measures what else the report shall show, on rank 0.

    Raises:
        CheckpointError: The weights are no classifier, damaged, or give no finite output, the head
            was never trained, or the protocol is for clips of another shape.
        DataError: There is no such dataset or split, its classes differ, or no video is decodable.
        UsageError: The options contradict each other.
        Stopped: A signal asked to stop; the same command continues.
    """
    evaluation = _set_up(checkpoint, options, report)
    if extras is not None:  # a wrong list of sources is an error before anything is computed
        group_V = extras.read_groups(evaluation.manifest, evaluation.split)
        evaluation = evaluation._replace(group_V=group_V)
    split, config = evaluation.split, evaluation.loaded.config
    check_output(options, evaluation.manifest.split(split), config.task)
    report.say(f"evaluating {checkpoint} on {split} of {evaluation.manifest.folder}")
    with Runtime(options.precision) as runtime:
        facts = evaluation.facts(runtime) | {"views": options.dump_v1 is not None}
        store = PartStore(evaluation.folder / UNFINISHED, facts)
        scores = _score(evaluation, store, options, runtime, report)
        result = runtime.run_on_rank0(
            lambda: _finish(scores, evaluation, store, facts, (options, extras))
        )
    _report(result, options, report)
    return result


def _report(result: EvalResult, options: EvalOptions, report: Report) -> None:
    for message in (*result.undecodable, *result.describe_nonfinite()):
        report.warn(message)
    if options.dump is not None and result.failures:
        names = [failure.path for failure in result.failures]
        report.warn(describe_missing_rows(options.dump, names))
    report.say(result.headline())
    report.say(f"wrote {result.folder}")


def _score(
    evaluation: Evaluation,
    store: PartStore,
    options: EvalOptions,
    runtime: Runtime,
    report: Report,
) -> Scores:
    config = evaluation.loaded.config
    frames = config.grid.frames
    report.say(f"{evaluation.protocol} of {frames} frames per video; {runtime.summary()}")
    scores = score_videos(
        evaluation.classifier.to(runtime.device),
        config,
        evaluation.views,
        runtime=runtime,
        report=report,
        title=f"evaluating {evaluation.split}",
        store=store,
        keep_views=options.dump_v1 is not None,
    )
    return scores._replace(failures=(*evaluation.rejected, *scores.failures))


def _finish(
    scores: Scores,
    evaluation: Evaluation,
    store: PartStore,
    facts: Mapping[str, Any],
    output: tuple[EvalOptions, Extras | None],
) -> EvalResult:
    """Compute the metrics, write all files, and remove the unfinished parts."""
    try:
        result = _summarize(scores, evaluation)
    except (CheckpointError, DataError):
        store.remove()  # the same parts would fail again
        with suppress(OSError):
            evaluation.folder.rmdir()  # if it contained nothing else
            evaluation.folder.parent.rmdir()
        raise
    (options, extras), sections = output, Sections()
    if extras is not None:  # an error in it keeps the parts
        sections = extras.measure(scores, evaluation.manifest, result.folder, result.split)
    write_output(result, scores, evaluation.views, facts, options, sections)
    store.remove()
    return result


def estimate(checkpoint: Path, report: Report, options: EvalOptions = DEFAULTS) -> Cost:
    """Return what `run` would cost; without data, only what the model costs.

    Raises what `run` raises before it computes.
    """
    loaded, classifier, protocol = load_evaluated(checkpoint, options, report)
    config, views = loaded.config, None
    if options.data is not None or (config.data and Path(config.data).is_dir()):
        manifest, _ = open_data(config, options, report)
        clip = protocol.apply(config.clip())
        manifest, split = select_videos(config, manifest, options.split, clip, report)
        views = make_views(manifest, split, config.clip(), protocol)
    with Runtime(options.precision) as runtime:
        return measure_cost(config, classifier.to(runtime.device), protocol, runtime, views)


def load_evaluated(
    checkpoint: Path, options: EvalOptions, report: Report
) -> tuple[Checkpoint, Classifier, Protocol]:
    """Load a classifier and choose its test protocol.

    Raises:
        CheckpointError: It is no classifier, its head was never trained, or the protocol is for
            clips of another shape.
        UsageError: The protocol is unknown.
    """
    loaded = read_checkpoint(checkpoint)
    classifier = load_classifier(loaded)
    if is_untrained_head(loaded.weights) and not options.allow_untrained_head:
        raise CheckpointError(
            f"the head of {loaded.file} was never trained: all its biases are exactly 0, so its"
            " answers are random",
            "fine-tune it first (videomae finetune --checkpoint ...); if the head was trained"
            " without a bias: --allow-untrained-head",
        )
    return loaded, classifier, choose_protocol(loaded.config, options, report)


def _set_up(checkpoint: Path, options: EvalOptions, report: Report) -> Evaluation:
    loaded, classifier, protocol = load_evaluated(checkpoint, options, report)
    config = loaded.config
    manifest, rejected = open_data(config, options, report)
    clip = protocol.apply(config.clip())
    manifest, split = select_videos(config, manifest, options.split, clip, report)
    name = f"{split}-{protocol.name or f'{protocol.clips}x{protocol.crops}'}"
    folder = options.out or default_dir(loaded.file, name)
    return Evaluation(loaded, classifier, protocol, manifest, split, folder, rejected)


def default_dir(weights: Path, name: str) -> Path:
    """Return `eval/NAME` in the run directory, or beside weights that belong to no run.

    Nothing is written into `final`: a run that is resumed replaces it.
    """
    folder = weights.parent.parent if weights.parent.name == "final" else weights.parent
    return folder / "eval" / name


def _summarize(scores: Scores, evaluation: Evaluation) -> EvalResult:
    """Compute the metrics; an error names the weights."""
    loaded, _, protocol, manifest, split, folder, _, group_V = evaluation
    try:
        metrics = scores.metrics()
    except CheckpointError as error:
        raise CheckpointError(f"{loaded.file}: {error.message}", error.hint) from error
    videos, grid = manifest.split(split), loaded.config.grid
    is_square = grid.height == grid.width
    return EvalResult(
        metrics,
        protocol,
        split,
        len(scores.target),
        scores.failures,
        folder,
        tuple(videos[index].name for index in scores.nonfinite),
        scores.task,
        scores.intervals(None if group_V is None else group_V[scores.indices]),
        f"{grid.height}" if is_square else f"{grid.height} x {grid.width}",
    )
