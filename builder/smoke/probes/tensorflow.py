"""Run a small graph on the CPU, and look for a node in a frozen graph where its file is there.

Arguments: the file below the user's home, the node. Graphs are run by TensorFlow's session of 1.x, as the
DeepSpeech features do (osmr/deepspeech_features).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import google.protobuf
import numpy as np
import tensorflow as tf

path, node = Path.home() / sys.argv[1], sys.argv[2]
random = np.random.RandomState(0)
a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((4, 8), (8, 3)))
with tf.Graph().as_default(), tf.device("/CPU:0"):
    left = tf.compat.v1.placeholder(tf.float32, [4, 8])
    product = tf.nn.relu(tf.linalg.matmul(left, tf.constant(b)))
    with tf.compat.v1.Session() as session:
        result = session.run(product, {left: a})
wanted = np.maximum(a.astype(np.float64) @ b, 0)
figures: dict[str, object] = {
    "version": tf.__version__,
    "protobuf": google.protobuf.__version__,
    "difference": float(abs(result - wanted).max()),
    "weights": str(path),
    "there": path.is_file(),
}
if path.is_file():
    data = path.read_bytes()
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(data)
    figures.update(sha1=hashlib.sha1(data).hexdigest(), node=any(one.name == node for one in graph.node))  # noqa: S324
print(json.dumps(figures))
