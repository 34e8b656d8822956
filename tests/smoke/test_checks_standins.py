"""Each check passes on packages that are right and fails on those that are not, for that reason.

The real packages need gigabytes, a GPU or both. Small stand-ins (standins/) take their place in a real container, and
the engine claims a GPU, so that the probes and their judgement run whole: first on stand-ins that are right, then on
the same with lines added that make each wrong in the way its check is there to find.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.engine.client import Engine
from builder.lock import StackLock
from builder.smoke import SmokeReport
from builder.spec.extension import Extension
from builder.spec.parts import Weight
from tests.smoke.conftest import Variant, locked_with

SITE = "/opt/venv/lib/python3.11/site-packages"
STANDINS = Path(__file__).parent / "standins"
PINS = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "gsplat": "1.5.3",
    "mmcv-full": "1.7.1",
    "pytorch3d": "0.7.2",
    "tensorboard": "2.20.0",
    "tensorflow": "2.8.0",
    "tensorrt-cu12": "10.13.3.9.post1",
}
CHECKS = (
    "torch",
    "torchvision",
    "process_map",
    "gaussian_rasterizer",
    "simple_knn",
    "gridencoder",
    "gsplat",
    "mmcv_ops",
    "pytorch3d",
    "lpips",
    "tensorboard",
    "tensorflow",
    "tensorrt",
    "xpose",
)
STACK = {"gpus": ("9.0+PTX",), "cuda": "13.0"}


class ClaimsGpu(Engine):
    """The edge that this machine lacks: an engine with a GPU to give."""

    def gpu_arguments(self) -> list[str]:
        return ["--env", "CLAIMED=1"]


@pytest.fixture
def claiming(engine) -> Engine:
    return ClaimsGpu(engine.info, engine.command(), engine.endpoint)


@pytest.fixture
def lock() -> StackLock:
    """The lock of onnx-cpu with the stand-ins in it."""
    return locked_with("onnx-cpu", PINS)


def fat_binary(*entries: tuple[int, int]) -> bytes:
    """Entries (1 PTX or 2 machine code, architecture) as nvcc puts them into a library, each of 8 bytes."""
    bodies = [struct.pack("<HHIQ8xII32x8x", kind, 257, 64, 8, 0, number) for kind, number in entries]
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, sum(map(len, bodies))) + b"".join(bodies)


@pytest.fixture(scope="module")
def right(variant: Variant, tmp_path_factory) -> str:
    """An image with the stand-ins, three libraries named as CUDA's, and code for 9.0 with PTX."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make shared libraries")
    context = tmp_path_factory.mktemp("standins")
    shutil.copytree(STANDINS, context / "standins", ignore=shutil.ignore_patterns("__pycache__"))
    libraries = context / "libraries"
    libraries.mkdir()
    (libraries / "code-8.6").write_bytes(fat_binary((2, 86)))
    (libraries / "code").write_bytes(b"\x7fELF" + fat_binary((2, 90)) + b"\0\0" + fat_binary((2, 90), (1, 90)))
    (context / "empty.c").write_text("int nothing;\n")
    for name in ("libcudnn.so.9", "libcublas.so.13", "libcudart.so.13", "libcublas.so.12", "libcudnn.so.8"):
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", libraries / name, context / "empty.c"], check=True)
    driver = context / "standins" / "libcuda.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", libraries / "libcuda.so.1", driver], check=True)
    driver.unlink()
    lines = [
        f"COPY standins {SITE}",
        "COPY libraries /opt/standin",
        "RUN cp /opt/standin/libcuda.so.1 /usr/lib && ldconfig",
        "ENV TORCH_HOME=/opt/weights",
        "RUN mkdir -p /opt/weights/hub/checkpoints /root/.tensorflow/models",
        "RUN echo weights > /opt/weights/hub/checkpoints/alexnet-owt-7be5be79.pth",
        "RUN echo deepspeech/logits > /root/.tensorflow/models/deepspeech-0_1_0-b90017e8.pb",
    ]
    return variant("\n".join(lines), context=context)


@pytest.fixture
def spoilt(variant: Variant, right, tmp_path) -> Callable[..., str]:
    """An image like `right`, with more lines at the end of the named files of its stand-ins."""

    def build(lines: dict[str, str], *more: str) -> str:
        for path, text in lines.items():
            target = tmp_path / "spoilt" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text((STANDINS / path).read_text() + text)
        return variant("\n".join([f"COPY spoilt {SITE}", *more]), base=right, context=tmp_path)

    return build


def failures(report: SmokeReport) -> dict[str, str]:
    """`check: test` -> reason."""
    words = {one: f"{one.check}: {one.test.removeprefix('test_')}" for one in report.results}
    return {words[one]: one.reason for one in report.results if one.outcome == "failed"}


def assert_exactly(report: SmokeReport, expected: dict[str, str]) -> None:
    """Exactly the expected tests failed, each with a reason that its pattern finds."""
    found = failures(report)
    assert set(found) == set(expected), found
    for test, pattern in expected.items():
        assert re.search(pattern, found[test]), (test, found[test])


WRONG_WEIGHTS = {  # the files are there and are not the ones their names tell
    "lpips: the_weights_are_the_ones_their_name_tells": r"^sha256 of alexnet-owt-7be5be79\.pth is [0-9a-f]{64}$",
    "tensorflow: the_deepspeech_graph_has_its_logits": r"^sha1 of /root/\S+-b90017e8\.pb is [0-9a-f]{40}$",
}


def test_packages_that_are_right_pass_and_wrong_weights_are_found(judge, right, claiming) -> None:
    report = judge(right, smoke=CHECKS, gpu="require", on=claiming, **STACK)
    assert_exactly(report, WRONG_WEIGHTS)
    assert {one.check for one in report.results if one.outcome == "passed"} == set(CHECKS)
    assert report.skipped == 0


WRONG_ON_THE_GPU = {
    # half precision's 10 bits where 23 are promised; a convolution that is off by a hundredth
    "torch/__init__.py": """
def _half(tensor):
    kind = np.float16 if tensor.device.type == "cuda" else np.float32
    return tensor.array.astype(kind).astype(np.float32)

Tensor.__matmul__ = lambda one, two: Tensor(_half(one) @ _half(two), one.device.type)
_right = nn.functional.conv2d

def _off(one, two, padding):
    found = _right(one, two, padding)
    return Tensor(found.array * (1.01 if one.device.type == "cuda" else 1), one.device.type)

nn.functional.conv2d = _off
_solve = linalg.solve

def _no_kernel(one, two):
    if one.device.type == "cuda":
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
    return _solve(one, two)

linalg.solve = _no_kernel
""",
    # another threshold; half a pixel less of shift
    "torchvision/__init__.py": """
_kept, _mean = ops.nms, ops.roi_align
ops.nms = lambda boxes, scores, most: _kept(boxes, scores, 0.9 if boxes.device.type == "cuda" else most)
ops.roi_align = lambda image, rois, **more: _mean(
    image, Tensor(rois.array + (image.device.type == "cuda") * 0.5), **more
)
""",
    # a thousandth less of opacity
    "diff_gaussian_rasterization/__init__.py": """
_call = GaussianRasterizer.__call__

def _fainter(self, opacities, **more):
    opacities.array = opacities.array * 0.999
    image, *others = _call(self, opacities=opacities, **more)
    image_back = image.back

    def back():
        image_back()
        opacities.grad = Tensor(np.full(opacities.shape, np.nan))

    image.back = back
    return image, *others

GaussianRasterizer.__call__ = _fainter
""",
    "simple_knn/_C.py": """
_exact = distCUDA2
distCUDA2 = lambda points: Tensor(_exact(points).array * 1.1)
""",
    "gridencoder/__init__.py": """
_call = GridEncoder.__call__

def _near(self, points, bound):
    self.levels = 11
    return _call(self, points, bound * 3)

GridEncoder.__call__ = _near
""",
    # quaternions read as x, y, z, w
    "gsplat/__init__.py": """
_blend = rasterization

def rasterization(quats, **more):
    quats.array = quats.array[:, ::-1]
    return _blend(quats=quats, **more)
""",
    # angles left out; another threshold
    "mmcv/ops/__init__.py": """
_overlap, _kept = box_iou_rotated, nms

def _upright(boxes):
    return Tensor(boxes.array * [1, 1, 1, 1, boxes.device.type == "cpu"], boxes.device.type)

box_iou_rotated = lambda one, two, aligned: _overlap(_upright(one), _upright(two), aligned=aligned)
nms = lambda boxes, scores, most, offset: _kept(boxes, scores, 0.1 if boxes.device.type == "cuda" else most, offset)
""",
    # axes turned round; two pixels to the side
    "pytorch3d/ops.py": """
_nearest = knn_points

def knn_points(one, two, K):
    return _nearest(one, Tensor(two.array[..., ::-1], "cuda") if one.device.type == "cuda" else two, K)
""",
    "pytorch3d/renderer.py": """
_cover = MeshRasterizer.__call__

def _aside(self, mesh):
    mesh.corners = mesh.corners + (mesh.where == "cuda") * np.float32(2 / self.size)
    return _cover(self, mesh)

MeshRasterizer.__call__ = _aside
""",
    "lpips/__init__.py": """
_distance = LPIPS.__call__
LPIPS.__call__ = lambda self, one, two: Tensor(
    _distance(self, one, two).array * (1.1 if one.device.type == "cuda" else 1)
)
""",
    "tensorrt/__init__.py": """
_load = Runtime.deserialize_cuda_engine
Runtime.deserialize_cuda_engine = lambda self, plan: _load(
    self, plan[:12] + (np.frombuffer(plan[12:], np.float32) * np.float32(1.001)).tobytes()
)
""",
    "MultiScaleDeformableAttention.py": """
_exact = ms_deform_attn_forward
ms_deform_attn_forward = lambda *given: Tensor(_exact(*given).array.astype(np.float16))
""",
}


def test_packages_that_compute_wrongly_on_the_gpu_are_found(judge, spoilt, claiming) -> None:
    report = judge(spoilt(WRONG_ON_THE_GPU), smoke=CHECKS, gpu="require", on=claiming, **STACK)
    assert_exactly(
        report,
        {
            **WRONG_WEIGHTS,
            "torch: torch_on_the_gpu_equals_numpy[matmul]": r"^error 2\.\d+e-04, allowed 3\.81e-06$",
            "torch: torch_on_the_gpu_equals_numpy[conv]": r"^error 9\.\d+e-03, allowed 1\.72e-05$",
            "torch: torch_linalg_solves[cuda]": r"^CUDA error: no kernel image",
            "torch: torch_on_the_gpu_with_tf32_equals_numpy[conv]": r"^error 9\.\d+e-03, allowed 1\.97e-03$",
            "torchvision: nms_on_the_gpu_keeps_the_same_boxes": r"keeps \[1, 2, 0, 3\] of four boxes, not \[1, 0, 3\]",
            "torchvision: roi_align_on_the_gpu_is_exact_on_a_ramp": r"bin 0, 0 is 36\.0, not 33\.5",
            "gaussian_rasterizer: ten_gaussians_in_a_row_blend_as_computed": r"^depth is 2\.0971\d+, not 2\.09697",
            "gaussian_rasterizer: gradients_of_the_rasterizer_are_finite": r"not finite: gradients of opacities",
            "simple_knn: distcuda2_gives_the_known_distances[line]": r"line: \[5\.13.*, not \[4\.66",
            "simple_knn: distcuda2_gives_the_known_distances[square]": r"square: \[1\.46.*, not \[1\.33",
            "gridencoder: a_constant_grid_gives_the_constant_inside_and_nothing_outside": r"\[64, 11\] == \[64, 12\]",
            "gridencoder: the_gradient_of_the_grid_sums_to_one_per_point_and_level": r"sums to 704\.0, not 768",
            "gsplat: gsplat_rasterises_as_the_reference": r"colour differs from the reference by \d\.\d+e-0[12]",
            "gsplat: gradients_of_gsplat_are_finite_and_those_of_the_colours_right": r"off by a part of",
            "mmcv_ops: nms_on_the_gpu_keeps_the_right_boxes": r"keeps \[1, 2, 0, 3\] of four boxes, not",
            "mmcv_ops: rotated_boxes_on_the_gpu_overlap_as_computed": r"^rotated overlaps \[1\.0, 1\.0, 1\.0",
            "pytorch3d: nearest_neighbours_are_those_of_numpy[cuda]": r"other points are found than by numpy",
            "pytorch3d: a_triangle_covers_the_pixels_whose_centres_it_holds[cuda]": r"\d+ of 1024 pixels wrong",
            "lpips: distances_on_the_gpu_are_those_of_the_cpu": r"'to_another': .* on the GPU, .* on the CPU",
            "tensorrt: a_small_engine_equals_numpy": r"differs by 0\.00",
            "xpose: deformable_attention_in_double_precision_equals_its_definition": r"^differs by \d.*e-0\d, allowed",
            "xpose: deformable_attention_in_single_precision_equals_its_definition": r"^differs by \d.*e-0\d, allowed",
        },
    )


WRONG_BUILD = {
    # another release, for another CUDA, without code for 9.0, naming another cuDNN than the process has
    "torch/__init__.py": """
__version__, version.cuda = "2.10.0+cu128", "12.8"
_C._cuda_getArchFlags = lambda: "sm_75 sm_80 compute_120"
backends.cudnn.version = lambda: 8902
_from = from_numpy
from_numpy = lambda array: _from(array[::-1].copy() if array.shape == (6,) else array)
_more = [ctypes.CDLL("/opt/standin/libcublas.so.12"), ctypes.CDLL("/opt/standin/libcudnn.so.8")]
_same = ctypes.CDLL("/opt/other/libcublas.so.13")
Tensor.__matmul__ = lambda one, two: Tensor(one.array @ two.array * 1.001, one.device.type)
_solve = linalg.solve
linalg.solve = lambda one, two: Tensor(_solve(one, two).array * 1.001, one.device.type)
_right = nn.functional.conv2d
nn.functional.conv2d = lambda *given, **more: Tensor(_right(*given, **more).array[:, ::-1], given[0].device.type)
""",
    "torchvision/__init__.py": """
__version__ = "0.25.0"
_kept, _mean = ops.nms, ops.roi_align
ops.nms = lambda boxes, scores, most: _kept(boxes, scores, 0.9)
ops.roi_align = lambda image, rois, **more: _mean(image, Tensor(rois.array + 0.5), **more)
""",
    # the fork that gives no alpha
    "diff_gaussian_rasterization/__init__.py": """
_call = GaussianRasterizer.__call__
GaussianRasterizer.__call__ = lambda *given, **more: _call(*given, **more)[:3]
""",
    "diff_gaussian_rasterization/_C.py": """
__file__ = "/opt/standin/libcudart.so.13"
""",
    "gridencoder/grid.py": """
from torch.utils.cpp_extension import _jit_compile
_backend = _jit_compile("_grid_encoder", ["gridencoder.cu"])
""",
    "gsplat/__init__.py": """
__version__ = "1.4.0"
_blend = rasterization

def rasterization(**given):
    image, alpha, more = _blend(**given)

    def back():
        image_back()
        given["means"].grad = Tensor(np.full(given["means"].shape, np.nan))

    image_back, image.back = image.back, back
    return image, alpha, more
""",
    "gsplat/cuda/_backend.py": """
from torch.utils import cpp_extension
_C = cpp_extension._jit_compile("gsplat_cuda", ["ext.cpp"])
""",
    "mmcv/__init__.py": """
__version__ = "2.0.1"
""",
    "mmcv/ops/__init__.py": """
_overlap, _kept = box_iou_rotated, nms
box_iou_rotated = lambda one, two, aligned: _overlap(one, Tensor(two.array * [1, 1, 1, 1, 0]), aligned=aligned)
nms = lambda boxes, scores, most, offset: _kept(boxes, scores, 0.1, offset)
""",
    "pytorch3d/__init__.py": """
__version__ = "0.7.8"
""",
    "pytorch3d/_C.py": """
raise ImportError("undefined symbol: _ZN2at4_ops5zeros4callE")
""",
    "pytorch3d/ops.py": """
_nearest = knn_points
knn_points = lambda one, two, K: _nearest(one, Tensor(two.array[..., ::-1], one.device.type), K)
""",
    "pytorch3d/renderer.py": """
_cover = MeshRasterizer.__call__

def _deeper(self, mesh):
    mesh.corners = mesh.corners + np.float32(0.001)
    return _cover(self, mesh)

MeshRasterizer.__call__ = _deeper
""",
    "lpips/__init__.py": """
LPIPS.__call__ = lambda self, one, two: Tensor(0.25, one.device.type)
""",
    "tensorboard/__init__.py": """
__version__ = "2.8.0"
""",
    "tensorboard-2.20.0.dist-info/METADATA": "Requires-Dist: protobuf>=99\n",
    "torch/utils/tensorboard.py": """
SummaryWriter.add_scalar = lambda self, tag, value, step: self.kept.update({tag: (0, value)})
SummaryWriter.add_histogram = lambda self, tag, values, step: self.kept.update({tag: (0.0, -1.0, 1.0)})
_image = SummaryWriter.add_image
SummaryWriter.add_image = lambda self, tag, image, step: _image(self, tag, 1 - image, step)
""",
    "tensorflow/__init__.py": """
__version__ = "2.9.0"
nn.relu = lambda a: a
""",
    "tensorrt/__init__.py": """
__version__ = "10.9.0.34"
_Network.add_activation = lambda self, product, kind: exit("no engine")
""",
    "MultiScaleDeformableAttention.py": """
__file__ = "/opt/standin/code-8.6"
_slopes = ms_deform_attn_backward
ms_deform_attn_backward = lambda *given: [Tensor(one.array * 1.01) for one in _slopes(*given)]
""",
}


def test_packages_of_another_build_are_found(judge, spoilt, claiming) -> None:
    """Versions, architectures, libraries and modules that do not fit, and wrong results on both devices."""
    proto = f"{SITE}/google/protobuf"
    image = spoilt(
        WRONG_BUILD,
        "RUN mkdir /opt/other && cp /opt/standin/libcublas.so.13 /opt/other",
        f"RUN rm {SITE}/simple_knn/_C.py",
        f"RUN echo '__version__ = \"3.19.0\"' >> {proto}/__init__.py && rm -r {proto}/__pycache__",
        "RUN echo other/logits > /root/.tensorflow/models/deepspeech-0_1_0-b90017e8.pb",
        "ENV USER=",
    )
    error, boxes, overlaps = r"^error \d.*, allowed \d", r"^nms keeps \[1, 2, 0, 3\]", r"^rotated overlaps \[1\.0, 1\.0"
    fork, symbol, off = (
        r"^3 outputs, where ashawkey's fork",
        r"undefined symbol: _ZN2at4",
        r"^gradients off by a part of",
    )
    lost = r"ModuleNotFoundError: No module named 'simple_knn\._C'"
    expected = {
        "torch": {
            **dict.fromkeys((f"torch_on_the_{one}_equals_numpy[matmul]" for one in ("cpu", "gpu")), error),
            **dict.fromkeys((f"torch_on_the_{one}_equals_numpy[conv]" for one in ("cpu", "gpu")), error),
            "torch_on_the_gpu_with_tf32_equals_numpy[conv]": error,
            **dict.fromkeys((f"torch_linalg_solves[{one}]" for one in ("cpu", "cuda")), error),
            "torch_and_numpy_exchange_arrays": r"\[5\.0, 4\.0",
            "an_optimizer_takes_a_step_as_a_user_without_an_entry": r"getpwuid\(\): uid not found: 4242",
            "torch_has_its_locked_version": r"^imported 2\.10\.0\+cu128, locked \['2\.11\.0'\]",
            "torch_is_built_for_the_cuda_release_of_the_stack": r"for CUDA 12\.8, the stack has 13\.0",
            "torch_holds_code_for_the_gpus_of_the_stack": r"sm_75, sm_80, compute_120, which does not run on 9\.0",
            "torch_holds_code_for_this_gpu": r"the GPU is 9\.0, torch is built for sm_75, sm_80, compute_120",
            "cudnn_is_loaded_once_and_is_the_one_torch_names": r"process of torch: libcudnn\.so\.8, libcudnn\.so\.9",
        },
        "torchvision": {
            "torchvision_has_its_locked_version": r"imported 0\.25\.0, locked \['0\.26\.0'\]",
            "nms_on_the_cpu_keeps_the_right_boxes": boxes,
            "nms_on_the_gpu_keeps_the_same_boxes": boxes,
            **dict.fromkeys(
                (f"roi_align_on_the_{one}_is_exact_on_a_ramp" for one in ("cpu", "gpu")), r"bin 0, 0 is 36"
            ),
        },
        "process_map": {
            f"{test}[{device}]": reason
            for device in ("cpu", "cuda")
            for test, reason in {
                "the_main_packages_import_in_one_process": r"'pytorch3d\._C': 'ImportError: undefined symbol",
                "each_cuda_library_is_loaded_from_one_place": r"libcublas\.so\.13': \['/opt/other/.*'/opt/standin/",
                "one_cudnn_is_loaded": r"libcudnn\.so\.8, libcudnn\.so\.9",
                "the_cuda_libraries_are_of_the_release_of_the_stack": r"CUDA 13\.0, .*'libcublas\.so\.12': '12'",
            }.items()
        },
        "gaussian_rasterizer": {
            "the_compiled_module_holds_code_for_the_gpus_of_the_stack": r"holds no GPU code, none of it for 9\.0",
            "ten_gaussians_in_a_row_blend_as_computed": fork,
            "gradients_of_the_rasterizer_are_finite": fork,
        },
        "simple_knn": {
            "the_compiled_module_is_taken": lost,
            "the_compiled_module_holds_code_for_the_gpus_of_the_stack": lost,
            **dict.fromkeys((f"distcuda2_gives_the_known_distances[{one}]" for one in ("line", "square")), lost),
        },
        "gridencoder": {
            "the_compiled_module_is_taken": r"^compiled at import: _grid_encoder$",
            "a_constant_grid_gives_the_constant_inside_and_nothing_outside": r"^the backend is _grid_encoder",
        },
        "gsplat": {
            "gsplat_takes_its_compiled_module": r"^compiled at import: gsplat_cuda$",
            "gsplat_has_its_locked_version": r"imported 1\.4\.0, locked \['1\.5\.3'\]",
            "gradients_of_gsplat_are_finite_and_those_of_the_colours_right": r"not finite: gradients of means",
        },
        "mmcv_ops": {
            "mmcv_has_its_locked_version": r"imported 2\.0\.1, locked \['1\.7\.1'\]",
            **dict.fromkeys((f"nms_on_the_{one}_keeps_the_right_boxes" for one in ("cpu", "gpu")), boxes),
            **dict.fromkeys((f"rotated_boxes_on_the_{one}_overlap_as_computed" for one in ("cpu", "gpu")), overlaps),
        },
        "pytorch3d": {
            "the_compiled_module_is_taken": symbol,
            "the_compiled_module_holds_code_for_the_gpus_of_the_stack": symbol,
            "pytorch3d_has_its_locked_version": r"imported 0\.7\.8, locked \['0\.7\.2'\]",
            **{
                f"{test}[{device}]": reason
                for device in ("cpu", "cuda")
                for test, reason in {
                    "nearest_neighbours_are_those_of_numpy": r"other points are found",
                    "a_triangle_covers_the_pixels_whose_centres_it_holds": r"depths differ from 2 by 0\.000999",
                }.items()
            },
        },
        "lpips": dict.fromkeys(
            (
                "with_a_random_backbone_an_image_is_at_no_distance_to_itself_and_at_some_to_another",
                "an_image_is_at_no_distance_to_itself_and_at_some_to_another",
                "distances_on_the_gpu_are_those_of_the_cpu",
            ),
            r"an image is at 0\.25 to itself",
        ),
        "tensorboard": {
            "tensorboard_has_its_locked_version": r"imported 2\.8\.0, locked \['2\.20\.0'\]",
            "protobuf_is_of_a_version_that_tensorboard_takes": r"is 3\.19\.0, tensorboard asks for protobuf.*>=99",
            "a_scalar_comes_back": r"\[0, 0\.5\] == \[7, 0\.5\]",
            "a_histogram_comes_back": r"\[0\.0, -1\.0, 1\.0\]",
            "an_image_comes_back": r"pixels differ by 1\.0",
        },
        "tensorflow": {
            "tensorflow_has_its_locked_version": r"imported 2\.9\.0, locked \['2\.8\.0'\]",
            "protobuf_has_its_locked_version": r"imported 3\.19\.0, locked",
            "a_graph_on_the_cpu_equals_numpy": r"differs by \d",
            "the_deepspeech_graph_has_its_logits": r"has no node deepspeech/logits$",
        },
        "tensorrt": {
            "tensorrt_has_its_locked_version": r"imported 10\.9\.0\.34, locked .*'10\.13\.3\.9\.post1'",
            "a_small_engine_equals_numpy": r"probe tensorrt ended with code 1: no engine$",
        },
        "xpose": {
            "the_compiled_module_holds_code_for_the_gpus_of_the_stack": r"code-8\.6 holds sm_86, none of it for 9\.0",
            "deformable_attention_in_double_precision_equals_its_definition": off,
            "deformable_attention_in_single_precision_equals_its_definition": off,
        },
    }
    flat = {f"{check}: {test}": reason for check, tests in expected.items() for test, reason in tests.items()}
    named = "lpips: the_weights_are_the_ones_their_name_tells"
    report = judge(image, smoke=CHECKS, gpu="require", on=claiming, **STACK)
    assert_exactly(report, {**flat, named: WRONG_WEIGHTS[named]})


def test_extensions_and_a_gpu_that_do_not_fit_the_stack_are_found(judge, spoilt, claiming) -> None:
    """One that compiles at import in place of using its module, which is no shared object, for other GPUs."""
    keys = {"name": "gridencoder", "import": ("gridencoder.grid",), "compiled": ("_gridencoder",)}
    own = Extension.model_validate(keys)
    image = spoilt({"gridencoder/grid.py": WRONG_BUILD["gridencoder/grid.py"]})
    report = judge(image, smoke=("extensions", "gpu"), on=claiming, gpu="require", gpus=("6.1",), extensions=(own,))
    assert_exactly(
        report,
        {
            "extensions: every_extension_imports_and_compiles_nothing": r"^compiled at import: _grid_encoder$",
            "extensions: the_modules_loaded_are_the_compiled_ones": r"/opt/standin/code, not a shared object$",
            "extensions: they_hold_code_for_the_gpus_of_the_stack": r"holds compute_90, sm_90, none of it for 6\.1",
            "gpu: the_stack_covers_the_compute_capability": r"^compute capability 9\.0; the stack is built for 6\.1$",
        },
    )


def test_without_weights_their_tests_are_skipped_unless_the_image_promises_them(judge, variant, right) -> None:
    """TORCH_HOME is the promise of the weights of lpips."""
    lines = "RUN rm -r /opt/weights/hub /root/.tensorflow"
    lost = r"^needs weights: \S+/checkpoints/alexnet-owt-7be5be79\.pth is not there"
    of_lpips = [
        "the_weights_are_the_ones_their_name_tells",
        "an_image_is_at_no_distance_to_itself_and_at_some_to_another",
    ]
    promised = judge(variant(lines, base=right), smoke=("lpips",), **STACK)
    assert_exactly(promised, {f"lpips: {one}": f"{lost}, though TORCH_HOME is set$" for one in of_lpips})

    mounts = (Weight(name="alexnet-owt-7be5be79.pth", bake=False, into="/opt/weights/hub/checkpoints"),)
    left = judge(variant(lines, base=right), smoke=("lpips",), weights=mounts, **STACK)
    skipped = {one.test.removeprefix("test_"): one.reason for one in left.results if one.outcome == "skipped"}
    assert left.green
    assert all(re.search(rf"{lost}; the stack leaves it to be mounted$", skipped[one]) for one in of_lpips), skipped

    free = judge(variant(f"{lines}\nENV TORCH_HOME=", base=right), smoke=("lpips", "tensorflow"), **STACK)
    skipped = {one.test.removeprefix("test_"): one.reason for one in free.results if one.outcome == "skipped"}
    assert free.green
    assert all(re.search(rf"{lost} \(bake", skipped[one]) for one in of_lpips), skipped
    assert "needs weights: /root/.tensorflow/models/deepspeech" in skipped["the_deepspeech_graph_has_its_logits"]


def test_a_gpu_check_says_that_the_driver_is_missing(judge, variant, right, claiming) -> None:
    """As where a GPU was promised and the driver's library is not in the container."""
    image = variant("RUN rm /usr/lib/libcuda.so.1 && ldconfig", base=right)
    report = judge(image, smoke=("tensorrt",), gpu="require", on=claiming, **STACK)
    assert_exactly(report, {"tensorrt: a_small_engine_equals_numpy": r"libcuda\.so\.1: cannot open shared object file"})
