#!/usr/bin/env bash
# A model whose weights lie beside it runs in ONNX Runtime, and onnx refuses it, because of how the file was put there.
#
# Seen: 2026-11-28, onnx 1.20.1 and 1.23.2, onnxruntime 1.26.0, numpy 2.4.6, Python 3.11.
# From 1.21 on (by its source; run: 1.23.2) onnx.load refuses external data that is a symbolic link (which is what huggingface_hub's cache is made
# of: snapshots/ links to blobs/), and a file with a second hard link, wherever that is (a shelf that hands
# files out by link does that). onnxruntime takes both. So tools above onnx (checker, shape inference, quantization,
# simplifiers) fail on a model that serves well. Copies, or load_external_data=False, are the way out.
#   output: 1.20.1: copy yes, symlink yes, hardlink yes; 1.23.2: copy yes, symlink no, hardlink no; ORT: yes yes yes
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
pip=("$tmp/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6)

cat >"$tmp/make.py" <<'PY'
import os, shutil
import numpy as np, onnx
from onnx import helper, numpy_helper

weight = numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")
io = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 8]) for name in "xy"]
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", io[:1], io[1:], [weight])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
onnx.save(model, "model.onnx", save_as_external_data=True, location="model.data", size_threshold=0)
for kind, put in {"copy": shutil.copy, "symlink": os.symlink, "hardlink": os.link}.items():
    os.makedirs(f"{kind}/shelf")
    shutil.copy("model.onnx", kind)
    shutil.copy("model.data", f"{kind}/shelf/blob")
    put(os.path.abspath(f"{kind}/shelf/blob"), f"{kind}/model.data")
PY
cat >"$tmp/load.py" <<'PY'
import sys
if sys.argv[1] == "onnx":
    from onnx import load
else:
    from onnxruntime import InferenceSession as load
for kind in ("copy", "symlink", "hardlink"):
    try:
        load(f"{kind}/model.onnx")
        print(kind, "yes", end=" ")
    except Exception as error:
        print(kind, "no", end=" ")
        print(error, file=sys.stderr)
PY
cd "$tmp"
"${pip[@]}" onnx==1.20.1 && venv/bin/python make.py && old=$(venv/bin/python load.py onnx)
"${pip[@]}" onnx==1.23.2 onnxruntime==1.26.0
new=$(venv/bin/python load.py onnx) && ort=$(venv/bin/python load.py onnxruntime)
echo "1.20.1: $old; 1.23.2: $new; onnxruntime 1.26.0: $ort"
all="copy yes symlink yes hardlink yes "
[ "$old" = "$all" ] && [ "$ort" = "$all" ] && [ "$new" = "copy yes symlink no hardlink no " ] || { echo "changed"; exit 1; }
echo "as seen: onnx 1.23.2 refuses linked weights that ONNX Runtime takes"
