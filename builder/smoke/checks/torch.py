"""torch at its locked version, made for the stack's CUDA and GPUs, and right. Needs nothing; some of it a GPU."""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_locked, missing

# Rounding of a sum of n products is at most n units of 2**-24 of the sum of their magnitudes, in any order (Higham,
# Accuracy and Stability of Numerical Algorithms, 3.1). Eight times that for a convolution, as cuDNN may take Winograd's
# method, whose error is a few times the direct one's (Barabasz et al., arXiv 1803.10986).
FP32 = {"matmul": 2**-24, "conv": 8 * 2**-24}
# TF32 keeps 10 bits of each factor's fraction: 2**-10 of it at most is lost where it is cut, so 2**-9 of a product
# (NVIDIA A100 whitepaper: TF32 has the 10-bit mantissa of half precision).
TF32 = 2**-9


@pytest.mark.parametrize("operation", ["matmul", "conv"])
def test_torch_on_the_cpu_equals_numpy(operation: str, probe: Probes) -> None:
    one = probe("torch", "cpu")["fp32"][operation]
    assert one["device"] == "cpu"
    allowed = FP32[operation] * one["products"]
    assert one["error"] <= allowed, f"error {one['error']:.2e}, allowed {allowed:.2e}"


def test_torch_and_numpy_exchange_arrays(probe: Probes) -> None:
    assert probe("torch", "cpu")["through_numpy"] == [0, 1, 2, 3, 4, 5]


def test_an_optimizer_takes_a_step_as_a_user_without_an_entry(probe: Probes) -> None:
    figures = probe("optimizer")
    assert figures["weight"] == [0.5], f"1 - 0.25 * 2 is {figures['weight']} as user {figures['user']}"


def test_torch_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    assert_locked(stack, probe("torch", "cpu")["version"], "torch")


def test_torch_is_built_for_the_cuda_release_of_the_stack(stack: Expected, probe: Probes) -> None:
    built = probe("torch", "cpu")["cuda"]
    # a minor release does for its major family (NVIDIA CUDA Compatibility, minor version compatibility)
    found, wanted = (version and version.split(".")[0] for version in (built, stack.cuda))
    assert found == wanted, f"torch is built for CUDA {built or 'none'}, the stack has {stack.cuda or 'none'}"


def test_torch_holds_code_for_the_gpus_of_the_stack(stack: Expected, probe: Probes) -> None:
    code = probe("torch", "cpu")["architectures"]
    lost = missing(code, (one.removesuffix("+PTX") for one in stack.gpus))
    assert not lost, f"torch is built for {', '.join(code) or 'no GPU'}, which does not run on {', '.join(lost)}"


def test_cudnn_is_loaded_once_and_is_the_one_torch_names(probe: Probes) -> None:
    version = probe("torch", "cpu")["cudnn"]
    assert version, "torch is built without cuDNN"
    libraries = probe("process_map", "cpu", "torch")["libraries"]
    names = [name for name in libraries if name.startswith("libcudnn.so.")]
    assert len(names) == 1, f"libcudnn in the process of torch: {', '.join(names) or 'none'}"
    assert len(libraries[names[0]]) == 1, f"{names[0]} from {' and '.join(libraries[names[0]])}"
    # 8902 is 8.9.2 and 91900 is 9.19.0: the major's weight grew from 1000 to 10000 with 9 (cudnn_version.h)
    major = version // (10000 if version >= 90000 else 1000)
    assert names[0].split(".")[2] == str(major), f"torch says cuDNN {version}, the process has {names[0]}"


@pytest.mark.needs_gpu
def test_torch_holds_code_for_this_gpu(probe: Probes) -> None:
    figures = probe("torch", "cuda")
    code, capability = figures["architectures"], figures["capability"]
    assert not missing(code, [capability]), f"the GPU is {capability}, torch is built for {', '.join(code)}"


@pytest.mark.needs_gpu
@pytest.mark.parametrize("operation", ["matmul", "conv"])
def test_torch_on_the_gpu_equals_numpy(operation: str, probe: Probes) -> None:
    one = probe("torch", "cuda")["fp32"][operation]
    assert one["device"] == "cuda"
    allowed = FP32[operation] * one["products"]
    assert one["error"] <= allowed, f"error {one['error']:.2e}, allowed {allowed:.2e}"


# torch.linalg has a library of its own, with code for fewer GPUs. In double precision, of 16 x 16 with a condition of
# about 3 (16 on the diagonal, noise of norm 8), rounding stays far below this, and a wrong result is far above.
LINALG = 1e-11


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.needs_gpu)])
def test_torch_linalg_solves(device: str, probe: Probes) -> None:
    one = probe("torch", device)["linalg"]
    assert not one["failed"], one["failed"]
    assert one["error"] <= LINALG, f"error {one['error']:.2e}, allowed {LINALG:.0e}"


@pytest.mark.needs_gpu
@pytest.mark.parametrize("operation", ["matmul", "conv"])
def test_torch_on_the_gpu_with_tf32_equals_numpy(operation: str, probe: Probes) -> None:
    one = probe("torch", "cuda")["tf32"][operation]
    allowed = TF32 + FP32[operation] * one["products"]
    assert one["error"] <= allowed, f"error {one['error']:.2e}, allowed {allowed:.2e}"
