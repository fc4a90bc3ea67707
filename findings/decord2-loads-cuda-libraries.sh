#!/bin/sh
# decord2 3.4.0: `import decord` loads every CUDA library that pip has installed, on machines without
# a GPU as well, in a build that decodes on the CPU only.
#
# The wheel from PyPI has no CUDA decoder (its version has no +cu). It still walks the `nvidia` package
# and opens all shared libraries in it with ctypes. Beside torch's CUDA packages that took 3 s and 0.4 GB
# in each of our processes; here one library of 40 kB stands for them. With `nvidia` hidden from the
# import, decord works and loads none. Linux. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet decord2==3.4.0 numpy==2.4.0 nvidia-nvtx-cu12==12.8.90
cat > "$place/loaded.py" <<'PYTHON'
import sys

if sys.argv[1] == "hidden":
    sys.modules["nvidia"] = None
import decord

maps = open("/proc/self/maps").read()
print(decord.__version__, sys.argv[1], "libnvToolsExt" in maps)
PYTHON
plain=$("$place/venv/bin/python" "$place/loaded.py" plain)
hidden=$("$place/venv/bin/python" "$place/loaded.py" hidden)
echo "$plain; $hidden"
case "$plain" in *"plain True") ;; *) echo "it has changed"; exit 1 ;; esac
case "$hidden" in *"hidden False") ;; *) echo "it has changed"; exit 1 ;; esac
