#!/bin/sh
# timm 1.0.31 with Pillow 13.0.0: RandAugment with the usual policy rand-m9-mstd0.5-inc1 raises
# "ValueError: bits must be between or equal to 1 and 8" on one image in about 650, so that training ends.
#
# In the policies with `inc1`, magnitude 10 posterises to 4 - 4 = 0 bits. Pillow 12 gives a black image;
# 13 raises. The magnitude is drawn from a normal distribution (9, 0.5) and cut at 10, so 2 % of the
# drawn operations have it. In a loader the error comes from a worker. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
for pillow in 12.0.0 13.0.0; do
  python3 -m venv "$place/$pillow"
  "$place/$pillow/bin/pip" install --quiet pillow==$pillow numpy==2.4.0
  "$place/$pillow/bin/pip" install --quiet --no-deps timm==1.0.31
  "$place/$pillow/bin/python" - "$pillow" <<'PYTHON'
import importlib.util
import random
import sys
from pathlib import Path

import numpy
import PIL
from PIL import Image

# the file alone: the package needs torch, which this file does not
path = next(Path(sys.prefix).glob("lib/python*/site-packages/timm/data/auto_augment.py"))
spec = importlib.util.spec_from_file_location("auto_augment", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

random.seed(0)
numpy.random.seed(0)
augment = module.rand_augment_transform("rand-m9-mstd0.5-inc1", {})
image = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (32, 32, 3), numpy.uint8))
error = ""
for number in range(20000):
    try:
        augment(image)
    except ValueError as caught:
        error = f"image {number}: ValueError: {caught}"
        break
print(f"Pillow {PIL.__version__}: {error or 'no error in 20,000 images'}")
assert bool(error) == (sys.argv[1] == "13.0.0"), "it has changed"
PYTHON
done
