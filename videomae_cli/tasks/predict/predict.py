"""`videomae predict`: label videos, or the windows of long ones, with a classifier.

The views, the batches and the arithmetic are those of `videomae eval`. A video that cannot be read
is named, and the others get their results.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from videomae_cli.data.ingest.input_files import find_input_files
from videomae_cli.data.ingest.input_videos import InputVideos, RejectedInput, probe_inputs
from videomae_cli.data.short_videos import describe_effect, find_short_videos
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError, Stopped
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.parts import ItemOutput
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.predict.items import (
    Item,
    make_item_views,
    make_summary,
    plan_items,
    read_output,
)
from videomae_cli.tasks.predict.model import Model, load_model
from videomae_cli.tasks.predict.options import DEFAULTS, PredictOptions, check_options
from videomae_cli.tasks.predict.output import plan_files, show_prediction, write_files
from videomae_cli.tasks.predict.result import Prediction, PredictResult
from videomae_cli.tasks.predict.thumbnails import draw_video_timeline
from videomae_cli.units import plural


def run(
    inputs: Sequence[str],
    checkpoint: Path,
    report: Report,
    options: PredictOptions = DEFAULTS,
    *,
    stdin: IO[bytes] | None = None,
    is_quiet: bool = False,
) -> PredictResult:
    """Predict the labels of videos; print each result when it is there, and write the files.

    Args:
        inputs: Files, folders, patterns, or `-` for a list on stdin.
        checkpoint: Run directory, or file or directory of weights.
        report: Receives the results, progress and warnings.
        options: The options.
        stdin: The list; None: that of this process.
        is_quiet: Whether the results are returned and written only, not printed.

    Raises:
        CheckpointError: The weights are no classifier or damaged, or the protocol is for clips of
            another shape.
        UsageError: The options contradict each other, or there is no input.
        TrainingError: A file cannot be written.
        Stopped: A signal asked to stop; the results so far are printed and written.
    """
    check_options(tuple(inputs), options)
    model = load_model(checkpoint, options, report)
    with Runtime(options.precision) as runtime:
        model.classifier.to(runtime.device).eval()
        if options.stream is not None:
            from videomae_cli.tasks.predict.stream import predict_stream

            return predict_stream(model, options, runtime, report, is_quiet=is_quiet)
        stdin = stdin or sys.stdin.buffer
        found, files = runtime.run_on_rank0(
            lambda: _open_inputs(inputs, stdin, options, runtime, report)
        )
        return _predict(model, found, files, options, runtime, report, is_quiet=is_quiet)


def _open_inputs(
    inputs: Sequence[str],
    stdin: IO[bytes],
    options: PredictOptions,
    runtime: Runtime,
    report: Report,
) -> tuple[InputVideos, dict[str, Path]]:
    """Find the videos, probe those of this job, and return which files are written; on rank 0."""
    with suppress(Interrupted), runtime.signals.interruptible():
        files = find_input_files(inputs, stdin)
        found = probe_inputs(options.share.block(files), report)
        names = [video.path for video in found.videos]
        if options.share.jobs > 1:  # pictures of equally named videos of other jobs
            names = [file.name for file in files]
        has_windows = options.window is not None
        planned = plan_files(options.out, names, has_windows=has_windows, share=options.share)
        return found, planned
    raise Stopped(
        "stopped before the videos were probed",
        "run it again",
        exit_code=exit_code(runtime.signals.received or 0),
    )


def _predict(
    model: Model,
    inputs: InputVideos,
    files: dict[str, Path],
    options: PredictOptions,
    runtime: Runtime,
    report: Report,
    *,
    is_quiet: bool,
) -> PredictResult:
    plan = plan_items(inputs, model.clip, model.protocol, options)
    result = model.empty_result(options.top_k)
    rejected = {one.name: one for one in (*inputs.rejected, *plan.rejected)}
    _announce(model, inputs, options, runtime, report)
    predictions: list[Prediction] = []
    stop: Stopped | None = None
    try:
        for output in _run_items(model, inputs, plan.items, options, runtime, report):
            item = plan.items[output.number]
            video = inputs.videos[item.request.video]
            for one in read_output(output, item, video):
                if isinstance(one, RejectedInput):
                    rejected.setdefault(one.name, one)
                    continue
                is_first = not predictions or predictions[-1].video != one.video
                predictions.append(one)
                if not is_quiet:
                    show_prediction(result, one, report, is_first=is_first)
    except Stopped as error:
        stop = error
    for one in rejected.values():
        report.warn(f"{one.name}: {one.reason}")
    result = result._replace(predictions=predictions, rejected=[*rejected.values()])
    return _finish(result, files, inputs, stop, runtime, report)


def _run_items(
    model: Model,
    inputs: InputVideos,
    items: Sequence[Item],
    options: PredictOptions,
    runtime: Runtime,
    report: Report,
) -> Iterator[ItemOutput]:
    """Yield the outputs of all items in their order, on every process."""
    views = make_item_views(inputs, items, model.clip, model.protocol)
    summary = make_summary(model.protocol, model.config, has_windows=options.window is not None)
    run_items = Run(views, summary, "predicting")
    with explain_worker_death():
        outputs = run_views(model.classifier, run_items, runtime=runtime, report=report)
        if runtime.world == 1:
            yield from outputs
        else:
            gathered = runtime.gather(list(outputs))
            yield from sorted(gathered, key=lambda output: output.number)


def _announce(
    model: Model, inputs: InputVideos, options: PredictOptions, runtime: Runtime, report: Report
) -> None:
    """Report what is computed, and what happens to short videos."""
    count = plural(len(inputs.videos))
    if options.window is not None:
        count += f" in windows of {options.window:g} s, {options.hop_seconds:g} s apart"
    frames = model.config.grid.frames
    report.say(f"predicting {count} with {model.loaded.file}")
    report.say(f"{model.protocol} of {frames} frames; {runtime.summary()}")
    if options.window is not None or model.clip.short == "refuse":
        return
    short = 0
    for video in inputs.videos:
        with suppress(DataError):  # without a frame rate: reported as the video's own error
            short += len(find_short_videos(model.clip, [video], inputs.times))
    if short:
        effect = describe_effect(model.clip, "test")
        report.say(f"{short:,} shorter than a clip ({model.clip.describe()}): {effect}")


def _finish(
    result: PredictResult,
    files: dict[str, Path],
    inputs: InputVideos,
    stop: Stopped | None,
    runtime: Runtime,
    report: Report,
) -> PredictResult:
    """Write the files; then raise the request to stop, if there was one."""

    def write() -> list[Path]:
        def draw(path: Path, windows: Sequence[Prediction]) -> None:
            draw_video_timeline(path, windows, result, inputs)

        return write_files(result, files, draw)

    if not stop or runtime.world == 1:
        result = result._replace(files=runtime.run_on_rank0(write))
        for path in result.files:
            report.say(f"wrote {path}")
    if stop is not None:
        raise Stopped(
            f"stopped with {len({one.video for one in result.predictions}):,} of"
            f" {plural(len(inputs.videos))} predicted",
            "their results are printed" + (" and written" if result.files else ""),
            exit_code=stop.exit_code,
        ) from stop
    return result
