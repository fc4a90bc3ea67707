"""decord is loaded without the libraries of CUDA, and other code can still import them."""

import subprocess
import sys

SCRIPT = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "nvidia":
            print("looked for", name)
sys.meta_path.insert(0, Finder())
from videomae_cli.data.decoding.readers.decord_reader import import_decord
decord = import_decord()
assert import_decord() is decord is sys.modules["decord"]
assert decord.VideoReader and "nvidia" not in sys.modules
if sys.platform == "linux":
    loaded = open("/proc/self/maps").read()
    assert "libdecord" in loaded and "libcudart" not in loaded and "libcublas" not in loaded
print("done")
"""


def test_decord_does_not_look_for_the_libraries_of_cuda() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("done\n", "")
