#!/bin/sh
# torchcodec 0.17.0, FFmpeg 5.1: seek_mode="exact" returns other frames than those asked for, without
# an error, from an MPEG transport stream.
#
# Its documentation says: "Exact guarantees that requesting frame i will always return frame i". Here
# the same H.264 stream (50 frames, a key frame every 12) is once in MP4 and once in a transport stream,
# and each frame is read with a decoder of its own. From MP4 all frames have the right time. From the
# transport stream 48 frames are the next key frame, up to 12 frames later, frame 0 among them, and the
# last 2 are errors: FFmpeg's seek lands behind the time asked for, and torchcodec returns the first
# frame that is not earlier. Needs the command ffmpeg with its shared libraries (apt install ffmpeg)
# and 8 GB of disk for torch. Linux. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir torch==2.15.0 torchcodec==0.17.0 numpy==2.4.6
ffmpeg -v error -f lavfi -i testsrc2=size=320x240:rate=25:duration=2 -c:v libx264 -g 12 "$place/a.mp4"
ffmpeg -v error -i "$place/a.mp4" -c copy "$place/a.ts"
cat > "$place/read.py" <<'PYTHON'
import sys

import torch
import torchcodec
from torchcodec.decoders import VideoDecoder


def find_shift(number):
    decoder = VideoDecoder(sys.argv[1], seek_mode="exact")
    try:
        frame = decoder.get_frame_at(number)
    except RuntimeError:
        return None
    seconds = frame.pts_seconds - decoder.metadata.begin_stream_seconds
    return round(seconds * 25) - number


shifts = [find_shift(number) for number in range(len(VideoDecoder(sys.argv[1])))]
wrong = sum(shift not in (0, None) for shift in shifts)
print("torch", torch.__version__, "torchcodec", torchcodec.__version__, end=" ")
print("FFmpeg", torchcodec.ffmpeg_major_version, sys.argv[1].rpartition(".")[2], end=" ")
print(f"frames {len(shifts)} wrong {wrong} errors {shifts.count(None)} largest shift", end=" ")
print(max(shift or 0 for shift in shifts))
PYTHON
right=$("$place/venv/bin/python" "$place/read.py" "$place/a.mp4")
wrong=$("$place/venv/bin/python" "$place/read.py" "$place/a.ts")
echo "$right; $wrong"
case "$right" in *"frames 50 wrong 0 errors 0 largest shift 0") ;; *) echo "it has changed"; exit 1 ;; esac
case "$wrong" in *"frames 50 wrong 48 errors 2 largest shift 12") ;; *) echo "it has changed"; exit 1 ;; esac
