#!/bin/sh
# pnnx 20261020: the mean over one axis of an ONNX file becomes an ncnn Reduction over no axis.
#
# ReduceMean with axes [1] and keepdims 0 turns (1, 4, 8) into (1, 8). pnnx exits with 0 and writes
# `Reduction ... 1=0 -23303=0`, an empty list of axes, where `-23303=1,0` is needed: ncnn keeps the
# axis, and everything behind it is computed for each row, with no error. Exits with 1 if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-deps pnnx==20261020
"$place/venv/bin/pip" install --quiet onnx==1.23.2 ncnn==1.0.20261020
cd "$place"
venv/bin/python - <<'PYTHON'
import numpy, onnx
from onnx import TensorProto, helper, numpy_helper

shapes = {"x": [1, 4, 8], "y": [1, 8]}
values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
axes = numpy_helper.from_array(numpy.array([1]), "axes")
node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
graph = helper.make_graph([node], "mean", values[:1], values[1:], [axes])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
onnx.save(model, "mean.onnx")
PYTHON
pnnx=$(find "$place/venv" -type f -path '*/site-packages/pnnx/pnnx' | head -n 1) # needs no torch
chmod +x "$pnnx"
"$pnnx" mean.onnx 'inputshape=[1,4,8]f32' >log 2>&1 || { cat log; exit 1; }
grep Reduction mean.ncnn.param
venv/bin/python - <<'PYTHON'
import ncnn, numpy

rows = numpy.arange(32, dtype=numpy.float32).reshape(4, 8)
net = ncnn.Net()
assert net.load_param("mean.ncnn.param") == 0 and net.load_model("mean.ncnn.bin") == 0
extractor = net.create_extractor()
assert extractor.input("in0", ncnn.Mat(rows).clone()) == 0
shape = numpy.array(extractor.extract("out0")[1]).shape
print("shape of the mean over 4 rows:", shape, "where (8,) is right")
assert shape != (8,), "pnnx is right now"
PYTHON
