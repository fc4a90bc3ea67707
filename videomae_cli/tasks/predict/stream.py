"""Predict the windows of a stream or a camera while it is read; memory does not grow with time."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding.channels import convert_channels
from videomae_cli.data.decoding.live_stream import hide_password, read_stream
from videomae_cli.data.decoding.timing import find_times
from videomae_cli.data.evaluation.clips import select_clips
from videomae_cli.data.evaluation.crops import cover
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.ingest.input_videos import SPLIT, RejectedInput
from videomae_cli.data.manifest import Video
from videomae_cli.data.resize import resize_linear
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError, Stopped, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.run_views import compute_views
from videomae_cli.tasks.predict.items import make_summary
from videomae_cli.tasks.predict.model import Model
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.output import plan_files, show_prediction, write_files
from videomae_cli.tasks.predict.picture import draw_timeline
from videomae_cli.tasks.predict.result import NOT_FINITE, Prediction, PredictResult
from videomae_cli.tasks.predict.stream_windows import StreamWindow, Thumbnails, cut_windows
from videomae_cli.units import plural


def predict_stream(
    model: Model, options: PredictOptions, runtime: Runtime, report: Report, *, is_quiet: bool
) -> PredictResult:
    """Predict each window of a stream as soon as it has arrived, until the stream ends.

    Raises:
        UsageError: There are several processes.
        DataError: The stream cannot be opened.
        TrainingError: A file cannot be written.
        Stopped: A signal, such as Ctrl-C, asked to stop; the results so far are written.
    """
    assert options.stream is not None and options.window is not None
    if runtime.world > 1:
        raise UsageError("--stream is read by one process", "use --devices 1")
    reader = StreamReader(model, options, runtime)
    files = plan_files(options.out, [reader.name], has_windows=True)
    result = model.empty_result(options.top_k)
    report.say(f"predicting {reader.name} with {model.loaded.file}; Ctrl-C ends it")
    report.say(f"{model.protocol} of {model.config.grid.frames} frames; {runtime.summary()}")
    with suppress(Interrupted), runtime.signals.interruptible():
        _predict_windows(reader, result, report, is_quiet=is_quiet)

    def draw(path: Path, windows: Sequence[Prediction]) -> None:
        draw_timeline(path, windows, result.classes, result.task, reader.thumbnails.choose())

    result = result._replace(files=write_files(result, files, draw))
    for path in result.files:
        report.say(f"wrote {path}")
    if number := runtime.stop_signal():
        raise Stopped(
            f"{reader.name}: stopped after {plural(len(result.predictions), 'window')}",
            "their results are printed" + (" and written" if result.files else ""),
            exit_code=exit_code(number),
        )
    return result


def _predict_windows(
    reader: "StreamReader", result: PredictResult, report: Report, *, is_quiet: bool
) -> None:
    """Add the predictions of all windows to a result, each when its window has arrived.

    Raises:
        DataError: The stream cannot be opened; an error later on ends it.
    """
    try:
        for window in reader.windows():
            one = reader.predict(window)
            if one is None:
                result.rejected[:] = [RejectedInput(reader.name, NOT_FINITE)]
                continue
            # first kept, then printed: a signal in between must not lose what was printed
            result.predictions.append(one)
            if not is_quiet:
                show_prediction(result, one, report, is_first=len(result.predictions) == 1)
    except DataError as error:
        if not result.predictions:
            raise
        result.rejected.append(RejectedInput(reader.name, error.message))
        report.warn(error.message)


class StreamReader:
    """Reads a stream, and computes the predictions for its windows."""

    def __init__(self, model: Model, options: PredictOptions, runtime: Runtime) -> None:
        self._model, self._options, self._runtime = model, options, runtime
        self._views = EvalViews([], Path(), model.clip, model.protocol)
        self._summarize = make_summary(model.protocol, model.config, has_windows=True)
        self.name = hide_password(options.stream or "")
        self.thumbnails = Thumbnails()

    def windows(self) -> Iterator[StreamWindow]:
        """Return an iterator over the windows, each when it has arrived."""
        options = self._options
        assert options.stream is not None and options.window is not None
        frames = read_stream(options.stream)
        return cut_windows(frames, options.window, options.hop_seconds, self._resize)

    def predict(self, window: StreamWindow) -> Prediction | None:
        """Return the prediction for a window; None if the outputs are not finite."""
        self.thumbnails.add(window)
        frames = window.frames
        seconds = [frame.seconds for frame in frames]
        height, width = frames[0].pixels.shape[:2]
        video = Video(
            self.name, None, SPLIT, len(frames), frames[0].rate, width, height, decoder="pyav"
        )
        times = find_times(seconds, frames[0].rate)
        own = {self.name: np.asarray(times)} if times else {}
        clips = select_clips(self._model.protocol, self._model.clip, video, own)
        pixels_LHWC = np.stack([frame.pixels for frame in frames])
        views = self._views.cut_views(pixels_LHWC, range(len(frames)), clips)
        logits_VK = compute_views(self._model.classifier, views, self._runtime)
        score_K = self._summarize(logits_VK)[0]
        if not np.isfinite(score_K).all():
            return None
        return Prediction(self.name, score_K, round(window.start, 6), round(window.end, 6))

    def _resize(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a frame as the views will need it, so that a window takes little memory.

        Channels are converted before the size, as for a file.
        """
        rules, clip = self._model.protocol.rules, self._model.clip
        frame_1HWC = convert_channels(Path(self.name), pixels_HWC[None], clip.channels)
        if rules != "pyslowfast":  # it does not round pixels
            height, width = pixels_HWC.shape[:2]
            size = cover(height, width, clip.height, clip.width, rules)
            frame_1HWC = resize_linear(frame_1HWC, *size)
        small_HWC: NDArray[np.uint8] = frame_1HWC[0]
        return small_HWC
