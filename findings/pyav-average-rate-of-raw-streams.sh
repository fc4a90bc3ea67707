#!/bin/sh
# PyAV 18.1.0: the average_rate of H.264 or MPEG without a container is 25, whatever the stream says.
#
# Programs usually take average_rate for the frame rate; in MP4 it is right. A stream without a container
# has no timestamps, so FFmpeg assumes 25, though the bit stream of this one states 20. guessed_rate and
# codec_context.framerate give 20. Motion JPEG states no rate, and there both others are 25 too.
# Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.0
"$place/venv/bin/python" - <<'PYTHON'
import io

import av
import numpy

RATE = 20


def read_rates(codec, pixels, name):
    """Write 30 grey frames at 20 per second, and return the rates that are read."""
    file = io.BytesIO()
    with av.open(file, "w", format=name) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pixels
        for number in range(30):
            grey = numpy.full((64, 64, 3), 5 * number, numpy.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey)))
        container.mux(stream.encode())
    with av.open(io.BytesIO(file.getvalue())) as container:
        stream = container.streams.video[0]
        rates = stream.average_rate, stream.guessed_rate, stream.codec_context.framerate
        return tuple(None if rate is None else float(rate) for rate in rates)


found = {
    "MP4": read_rates("libx264", "yuv420p", "mp4"),
    "H.264": read_rates("libx264", "yuv420p", "h264"),
    "MPEG-4": read_rates("mpeg4", "yuv420p", "m4v"),
    "MPEG-2": read_rates("mpeg2video", "yuv420p", "mpeg2video"),
    "Motion JPEG": read_rates("mjpeg", "yuvj420p", "mjpeg"),
}
print("average_rate, guessed_rate, codec_context.framerate of videos of 20 frames per second:")
for name, rates in found.items():
    print(f"{name:12s}", *rates)
assert found["MP4"] == (20, 20, 20), "it has changed"
assert all(found[name] == (25, 20, 20) for name in ("H.264", "MPEG-4", "MPEG-2")), "it has changed"
assert found["Motion JPEG"] == (25, 25, None), "it has changed"
PYTHON
