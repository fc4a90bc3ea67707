#!/bin/sh
# PyAV 18.1.0 with its x264 (core 165), on processors with AVX-512: one thread encodes the same frames with
# the same settings, and about once in some hundred times the file has other bytes. Both decode well.
#
# x264 documents its output as deterministic. Here it depends on what the process had in memory before;
# other work between two encodings changes it. With asm=avx2 or mbtree=0 all files are equal, so the
# macroblock tree's code for AVX-512 is the likely place. Processors without AVX-512 do not show it: there
# the script says so and ends. Needs Linux on x86-64. Exits with 1 if that changes.
set -eu
if ! grep -q avx512bw /proc/cpuinfo; then
  echo "this processor has no AVX-512: not tried"
  exit 0
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.0
"$place/venv/bin/python" - <<'PYTHON'
import hashlib
import io

import av
import numpy

TIMES = 5000
rows, columns = numpy.linspace(0, 60, 32), numpy.linspace(0, 60, 64)
background = rows[:, None, None] + columns[None, :, None] + numpy.array([79, 53, 45])


def draw(number):
    """Return a bright square that crosses a smooth background."""
    frame = background.astype(numpy.uint8)
    top, left = number * 3 % 24, number * 5 % 56
    frame[top : top + 8, left : left + 8] = 255 - 2 * number
    return frame


FRAMES = [draw(number) for number in range(7)]


def encode(parameters):
    """Return the bytes of the frames in H.264."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.options = {"preset": "veryfast", "tune": "fastdecode", "crf": "18", "bf": "0", "x264-params": parameters}
        stream.codec_context.thread_count = 1
        packets = []
        for frame in FRAMES:
            packets += stream.encode(av.VideoFrame.from_ndarray(frame))
        packets += stream.encode()
        return b"".join(bytes(packet) for packet in packets)


def count(parameters):
    """Return how many of the encodings differ from the most frequent one."""
    rng, memory, found = numpy.random.default_rng(0), [], {}
    for _ in range(TIMES):
        key = hashlib.sha256(encode(parameters)).hexdigest()
        found[key] = found.get(key, 0) + 1
        memory.append(rng.bytes(int(rng.integers(10, 200_000))))
        if len(memory) > 40:
            memory.pop(int(rng.integers(40)))
    return TIMES - max(found.values())


print("x264", encode("").split(b"x264 - ")[1].split(b" - ")[0].decode())
base = "keyint=16:min-keyint=16:scenecut=0"
differ = {name: count(base + more) for name, more in
          {"default": "", "asm=avx2": ":asm=avx2", "mbtree=0": ":mbtree=0"}.items()}
print(f"of {TIMES} encodings of the same frames, so many have other bytes: {differ}")
assert differ["default"] > 0 == differ["asm=avx2"] == differ["mbtree=0"], "it has changed"
PYTHON
