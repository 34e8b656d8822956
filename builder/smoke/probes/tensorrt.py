"""Which TensorRT this is; with the argument `run`, build relu(x @ w), run it on the GPU and compare with numpy.

Memory and copies go through the driver's own library, as the image need not have torch.
"""

from __future__ import annotations

import ctypes
import json
import sys

import numpy as np
import tensorrt as trt


class Driver:
    """The few calls of libcuda that a run needs, in the GPU's primary context."""

    def __init__(self) -> None:
        self.cuda = ctypes.CDLL("libcuda.so.1")
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)

    def call(self, name: str, *arguments: object) -> None:
        """Call one function; anything but 0 ends the probe."""
        code = getattr(self.cuda, name)(*arguments)
        if code:
            raise SystemExit(f"{name} answered {code}")

    def put(self, array: np.ndarray) -> int:
        """The address of a copy of an array in the GPU's memory."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(array.nbytes))
        self.call("cuMemcpyHtoD_v2", address, array.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(array.nbytes))
        return address.value

    def get(self, address: int, array: np.ndarray) -> None:
        """Copy memory of the GPU into an array, after all work is done."""
        self.call("cuCtxSynchronize")
        target = array.ctypes.data_as(ctypes.c_void_p)
        self.call("cuMemcpyDtoH_v2", target, ctypes.c_uint64(address), ctypes.c_size_t(array.nbytes))


def plan(logger: trt.ILogger, weights: np.ndarray, rows: int) -> bytes:
    """A serialised engine of x [rows, n] -> y = relu(x @ weights) in float32, TF32 switched off."""
    builder = trt.Builder(logger)
    explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)  # gone where it is the only kind
    network = builder.create_network(0 if explicit is None else 1 << int(explicit))
    given = network.add_input("x", trt.float32, (rows, weights.shape[0]))
    constant = network.add_constant(weights.shape, trt.Weights(weights)).get_output(0)
    plain = trt.MatrixOperation.NONE
    product = network.add_matrix_multiply(given, plain, constant, plain).get_output(0)
    result = network.add_activation(product, trt.ActivationType.RELU).get_output(0)
    result.name = "y"
    network.mark_output(result)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    made = builder.build_serialized_network(network, config)
    if made is None:
        raise SystemExit("TensorRT built no engine")
    return bytes(made)


def run() -> dict[str, object]:
    """Build, load and run the engine."""
    random = np.random.RandomState(0)
    x, weights = (random.standard_normal(shape).astype(np.float32) for shape in ((4, 8), (8, 3)))
    y = np.zeros((4, 3), dtype=np.float32)
    driver, logger = Driver(), trt.Logger(trt.Logger.ERROR)
    serialised = plan(logger, weights, len(x))
    engine = trt.Runtime(logger).deserialize_cuda_engine(serialised)
    context = engine.create_execution_context()
    addresses = {"x": driver.put(x), "y": driver.put(y)}
    for name, address in addresses.items():
        context.set_tensor_address(name, address)
    if not context.execute_async_v3(0):
        raise SystemExit("the engine did not run")
    driver.get(addresses["y"], y)
    wanted = np.maximum(x.astype(np.float64) @ weights, 0)
    return {"engine_bytes": len(serialised), "positive": int((y > 0).sum()), "difference": float(abs(y - wanted).max())}


print(json.dumps({"version": trt.__version__, **(run() if sys.argv[1:] == ["run"] else {})}))
