#!/bin/sh
# PyAV 18.1.0 (FFmpeg 8.1.2): float grey becomes RGB as if it had limited range, but grey as full.
#
# A frame of pixel format grayf32le without a stated range, all values 0.25: swscale makes 64 of it
# in `gray`, and 56, 56, 56 in `rgb24`; of 0.75 it makes 191 and 205. 0 and 1 agree. 8-bit and 16-bit
# grey of the same brightness agree in both. Float depth and thermal videos so get another contrast
# when they are read as colour. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.0
"$place/venv/bin/python" - <<'PYTHON'
import av, numpy

def convert(value, to):
    frame = av.VideoFrame(16, 16, "grayf32le")  # one line of 16 floats is 64 bytes, no padding
    assert frame.planes[0].line_size == 64
    frame.planes[0].update(numpy.full((16, 16), value, numpy.float32).tobytes())
    return int(frame.reformat(format=to).to_ndarray().reshape(-1)[0])

def convert_grey(value, to):
    pixels = numpy.full((16, 16), round(value * 65535), numpy.uint16)
    frame = av.VideoFrame.from_ndarray(pixels, format="gray16le")
    return int(frame.reformat(format=to).to_ndarray().reshape(-1)[0])

values = (0.0, 0.25, 0.5, 0.75, 1.0)
for name, function in (("grayf32le", convert), ("gray16le", convert_grey)):
    grey, rgb = ([function(value, to) for value in values] for to in ("gray", "rgb24"))
    print(f"{name}: gray {grey}, rgb24 {rgb}")
    if name == "grayf32le":
        assert grey == [0, 64, 128, 191, 255] and rgb == [0, 56, 130, 205, 255], "it has changed"
    else:
        assert max(abs(a - b) for a, b in zip(grey, rgb)) <= 1, "16-bit grey has changed"
PYTHON
