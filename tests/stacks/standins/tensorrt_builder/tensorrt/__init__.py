"""A stand-in of ours for TensorRT's builder, parser and loader: an engine is its model's bytes and what was asked.

The ONNX file says how it behaves: `squeeze` does not parse, `large` does not fit into memory, `dud` gives an engine
that does not load.
"""

import os
import time

__version__ = "10.13.3.9"


class NetworkDefinitionCreationFlag:
    """None of its members is left in TensorRT 11."""


class BuilderFlag:
    FP16 = "fp16"


class MemoryPoolType:
    WORKSPACE, TACTIC_SHARED_MEMORY = "workspace", "tactic"


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING = 0, 1, 2


class _Network:
    onnx = b""


class _Asked:
    """A builder configuration, or a profile."""

    def __init__(self):
        self.words = []

    def set_memory_pool_limit(self, pool, size):
        self.words.append(f"{pool}={size}")

    def set_flag(self, flag):
        self.words.append(flag)

    def set_shape(self, name, least, best, most):
        self.words.append(f"{name}={least}{best}{most}")

    def add_optimization_profile(self, profile):
        self.words += profile.words


class OnnxParser:
    def __init__(self, network, log):
        self._network, self.num_errors = network, 0

    def parse_from_file(self, path):
        with open(path, "rb") as stream:  # noqa: PTH123
            self._network.onnx = stream.read()
        self.num_errors = int(b"squeeze" in self._network.onnx)
        return not self.num_errors

    def get_error(self, at):
        return self

    def desc(self):
        return "could not find any implementation for node ONNXTRT_squeezeTensor"


class Builder:
    def __init__(self, log):
        self._log = log

    def create_network(self, flags):
        return _Network()

    def create_builder_config(self):
        return _Asked()

    def create_optimization_profile(self):
        return _Asked()

    def build_serialized_network(self, network, config):
        self._log.log(ILogger.WARNING, "made by a stand-in")
        if "STANDIN_BUILDS" in os.environ:  # a file that gets a line for each build, which then takes a second
            with open(os.environ["STANDIN_BUILDS"], "a") as stream:  # noqa: PTH123
                stream.write("built\n")
            time.sleep(1)
        if b"large" in network.onnx:
            self._log.log(ILogger.ERROR, "Tactic Device request: 8999MB Available: 8191MB")
            return None
        return b"" if b"dud" in network.onnx else b"engine of " + network.onnx + str(config.words).encode()


class Runtime:
    def __init__(self, log):
        pass

    def deserialize_cuda_engine(self, plan):
        return plan if plan.startswith(b"engine of ") else None
