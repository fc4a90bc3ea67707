#!/bin/sh
# triton 3.9.0: after gc.freeze(), a program that has only imported triton ends with a list of "leaks".
#
# triton's bindings (nanobind) count, when the interpreter ends, which of their objects are still there,
# and print each to stderr with the advice to look for reference counting errors. Python never collects
# what gc.freeze() has exempted, so all of triton counts as leaked. torch's dynamo imports triton, and
# torchvision imports dynamo, so a program need not know of it. gc.unfreeze() in an atexit handler ends
# the list. Linux. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-deps triton==3.9.0
count() {
    "$place/venv/bin/python" -c "import atexit, gc, triton; $1" 2>&1 | grep -c leaked || true
}
plain=$(count "pass")
frozen=$(count "gc.freeze()")
unfrozen=$(count "gc.freeze(); atexit.register(gc.unfreeze)")
echo "lines with 'leaked': plain $plain, frozen $frozen, unfrozen at exit $unfrozen"
test "$plain" -eq 0 || { echo "it has changed"; exit 1; }
test "$frozen" -gt 0 || { echo "it has changed"; exit 1; }
test "$unfrozen" -eq 0 || { echo "it has changed"; exit 1; }
