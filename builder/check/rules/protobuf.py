"""Code that an old protoc generated is refused by protobuf 4 and newer: TensorFlow 2.8, tensorboard 2.8."""

from __future__ import annotations

from builder.check.pairs import finder

NAME = "protobuf"
find = finder(NAME)
