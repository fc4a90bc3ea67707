#!/bin/sh
# scikit-learn 1.9.1: top_k_accuracy_score ranks tied classes with the higher label first, argmax
# with the lower one, so top-1 of tied scores is not the accuracy of the argmax.
#
# Four videos of the labels 0, 1, 2, 3 and equal scores for all four classes. argmax answers 0 for
# each: right for the first video, accuracy 0.25. top_k_accuracy_score with k=1 counts the video of
# label 3 instead, and with k=2 those of 2 and 3. If only the labels 0 and 1 occur (a part of the
# classes), its top-1 and top-2 are 0 where the others give 0.5 and 1. Models of low precision, and
# outputs that saturate, have such ties. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.0
"$place/venv/bin/python" - <<'PYTHON'
import numpy
from sklearn.metrics import accuracy_score, top_k_accuracy_score

def measure(labels):
    scores = numpy.full((len(labels), 4), 0.25)
    argmax = accuracy_score(labels, scores.argmax(axis=1))
    by_label = [float(top_k_accuracy_score([label], scores[:1], k=k, labels=range(4)))
                for k in (1, 2) for label in labels]
    top = [float(top_k_accuracy_score(labels, scores, k=k, labels=range(4))) for k in (1, 2)]
    print(f"labels {labels}: argmax {argmax}, top-1 {top[0]}, top-2 {top[1]}, one by one {by_label}")
    return argmax, top, by_label

argmax, top, by_label = measure([0, 1, 2, 3])
assert argmax == 0.25 and top == [0.25, 0.5], "it has changed"
assert by_label == [0, 0, 0, 1, 0, 0, 1, 1], "it has changed"
argmax, top, _ = measure([0, 1])
assert argmax == 0.5 and top == [0, 0], "it has changed"
PYTHON
