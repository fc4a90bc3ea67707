#!/bin/sh
# PyAV 18.1.0: the first conversion of each frame, such as frame.to_ndarray(format="rgb24"), starts one
# thread per CPU, which end with the frame.
#
# FFmpeg's scaler can have threads of its own; PyAV asks for one per CPU by default. A frame of 64 x 64
# takes some microseconds to convert, so most of the time goes into starting threads, the more the more
# CPUs there are; several processes that decode at once all start them. With threads=1 none is started,
# and the pixels are the same. Counted by the numbers that Linux gives to new threads: run nothing
# beside it. Needs Linux and 2 CPUs or more. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.0
"$place/venv/bin/python" - <<'PYTHON'
import os
import threading

import av
import numpy

assert os.cpu_count() > 1, "needs 2 CPUs or more"


def next_thread():
    """Return the number that Linux gives to the next thread."""
    numbers = []
    thread = threading.Thread(target=lambda: numbers.append(threading.get_native_id()))
    thread.start()
    thread.join()
    return numbers[0]



def make_frame():
    """Return a frame as a decoder gives it, which was never converted."""
    frame = av.VideoFrame(64, 64, "yuv420p")
    for number, plane in enumerate(frame.planes):
        plane.update(bytes([40 + 70 * number]) * plane.buffer_size)
    return frame


frames = {name: [make_frame() for _ in range(50)] for name in ("default", "one")}
started, results = {}, {}
for name, options in (("default", {}), ("one", {"threads": 1})):
    before = next_thread()
    for frame in frames[name]:
        results[name] = frame.to_ndarray(format="rgb24", **options)
    started[name] = next_thread() - before - 1
print(f"threads and processes started during 50 conversions of 50 frames: {started}, {os.cpu_count()} CPUs")
assert numpy.array_equal(results["default"], results["one"]), "it has changed"
assert started["default"] >= 100 > started["one"], "it has changed"
PYTHON
