"""A stream is read only when it is named, gives the windows of a file, and ends with Ctrl-C."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tests.notes import GRID, Notes
from tests.tasks.predict.clips import write_classifier, write_long_video
from videomae_cli.data.decoding.live_stream import StreamFrame, hide_password, read_stream
from videomae_cli.errors import DataError
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.predict import run
from videomae_cli.tasks.predict.stream_windows import StreamWindow, Thumbnails, cut_windows

SMALL = np.zeros((4, 4, 3), np.uint8)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(
    handler: Callable[..., BaseHTTPRequestHandler],
) -> Iterator[str]:
    """Serve on a free port of this machine; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def frames(*seconds: float) -> list[StreamFrame]:
    return [StreamFrame(second, SMALL, 10.0) for second in seconds]


def cut(given: list[StreamFrame], seconds: float, hop: float) -> list[tuple[float, float, int]]:
    windows = cut_windows(given, seconds, hop, lambda pixels: pixels)
    return [(round(w.start, 6), round(w.end, 6), len(w.frames)) for w in windows]


def test_windows_of_a_stream_are_those_of_a_file() -> None:
    given = frames(*(number / 10 for number in range(25)))

    assert cut(given, 1.0, 1.0) == [(0, 1, 10), (1, 2, 10), (2, 2.5, 5)]
    assert cut(given[:20], 1.0, 0.5) == [(0, 1, 10), (0.5, 1.5, 10), (1, 2, 10)]
    assert cut(given, 0.5, 2.0) == [(0, 0.5, 5), (2, 2.5, 5)]


def test_a_pause_of_a_stream_gives_no_windows() -> None:
    assert cut(frames(0, 0.1, 5.0, 5.1), 1.0, 1.0) == [(0, 1, 2), (5, 5.2, 2)]


def test_the_frames_of_past_windows_are_dropped() -> None:
    window = list(cut_windows(frames(*np.arange(0, 50, 0.1)), 2.0, 1.0, lambda pixels: pixels))[-1]

    assert len(window.frames) == 20


def test_thumbnails_are_few_and_spread_however_long_the_stream_is() -> None:
    kept = Thumbnails()
    for number in range(1000):
        kept.add(StreamWindow(number, number + 1, frames(number)))

    seconds = [second for second, _ in kept.choose()]
    assert len(seconds) == 10 and seconds[0] == 0 and seconds[-1] > 900
    assert min(np.diff(seconds)) > 50


def test_passwords_are_not_printed_and_what_is_no_stream_is_named() -> None:
    assert hide_password("rtsp://me:secret@cam/1") == "rtsp://cam/1"
    with pytest.raises(DataError, match="nope: no such file or device"):
        next(read_stream("nope"))
    with pytest.raises(DataError, match=r"http://127.0.0.1:1/x: the stream cannot be read"):
        next(read_stream("http://me:secret@127.0.0.1:1/x"))


def test_a_grey_stream_over_http_is_predicted_like_the_windows_of_its_file(tmp_path: Path) -> None:
    grey = {"grid": dataclasses.replace(GRID, channels=1), "mean": (0.5,), "std": (0.25,)}
    weights = write_classifier(tmp_path / "weights", **grey)
    video = write_long_video(tmp_path / "long.mkv")
    options = PredictOptions(window=0.8, hop=0.4, precision="fp32")

    expected = run([str(video)], weights, Notes(), options)
    with serving(partial(QuietHandler, directory=str(tmp_path))) as address:
        url = f"{address}/long.mkv"
        stream = run([], weights, Notes(), options._replace(stream=url, out=tmp_path / "out"))

    times = [(one.start, one.end) for one in stream.predictions]
    assert times == [(one.start, one.end) for one in expected.predictions]
    scores = [np.stack([one.score_K for one in each.predictions]) for each in (stream, expected)]
    assert np.abs(scores[0] - scores[1]).max() < 1e-6
    written = {path.name for path in stream.files}
    assert written == {"predictions.jsonl", "predictions.csv", "long.png"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process")
def test_ctrl_c_ends_a_stream_with_its_results_written(tmp_path: Path) -> None:
    weights = write_classifier(tmp_path / "weights")
    content = write_long_video(tmp_path / "long.mkv").read_bytes()
    end = threading.Event()

    class Endless(QuietHandler):
        """Sends most of a video, and then nothing without closing the connection."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content[: 9 * len(content) // 10])
            self.wfile.flush()
            end.wait(60)

    with serving(Endless) as address:
        words = ["--stream", f"{address}/live.mkv", "--window", "0.2", "--precision", "fp32"]
        line = [*words, "--checkpoint", str(weights), "--out", str(tmp_path / "x.jsonl")]
        process = subprocess.Popen(
            [sys.executable, "-m", "videomae_cli", "predict", *line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for text in process.stdout:
            if " s  " in text:
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        end.set()

    assert process.returncode == 130, errors
    shown = 1 + rest.count(" s  ")
    rows = [json.loads(row) for row in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert len(rows) >= shown and rows[0]["start"] == 0
    assert f"stopped after {len(rows)} window{'s' * (len(rows) > 1)}\n" in errors
