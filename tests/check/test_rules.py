"""Each rule finds what breaks it and nothing else, and the shipped stacks break none."""

from dataclasses import replace
from pathlib import Path

import pytest

from builder import settings as site
from builder.check import RULES, Finding, check, packaged_facts
from builder.lock import store
from builder.lock.model import Artifact, LockedBase, StackLock
from builder.settings import Settings
from builder.spec.load import load_stack, stack_names
from builder.spec.model import Stack

FAMILY = 'summary: A family\nbase: {image: "debian:12", glibc: "2.36"}\npython: "3.11"\n'


@pytest.fixture
def stack_of(tmp_path: Path):
    """Makes a stack from the lines its file has beside summary and family."""

    def make(lines: str) -> Stack:
        for path, text in (("families/plain", FAMILY), ("mine/stack", f"summary: Mine\nfamily: plain\n{lines}\n")):
            (tmp_path / f"{path}.yaml").parent.mkdir(exist_ok=True)
            (tmp_path / f"{path}.yaml").write_text(text)
        return load_stack("mine", Settings(home=tmp_path, stacks=(tmp_path,)))

    return make


def lock_of(*wheels: str) -> StackLock:
    """A lock of wheels given as NAME==VERSION."""
    pairs = [wheel.split("==") for wheel in wheels]
    artifacts = tuple(
        Artifact(
            kind="wheel",
            filename=f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
            size=1,
            sha256="0" * 64,
            origin="index:default",
        )
        for name, version in pairs
    )
    return StackLock(
        stack="mine",
        inputs="",
        epoch=0,
        python="3.11",
        platform="x86_64-manylinux_2_36",
        indexes={},
        base=LockedBase(kind="image"),
        wheels=artifacts,
        debs=(),
        tools=(),
        sources=(),
        weights=(),
        digest="",
    )


def only(findings: list[Finding], rule: str, level: str = "error") -> Finding:
    assert [(finding.rule, finding.level) for finding in findings] == [(rule, level)]
    assert findings[0].why
    assert findings[0].source
    return findings[0]


def test_a_pin_that_left_the_index_is_an_error(stack_of) -> None:
    found = only(check(stack_of("packages: [onnxruntime_gpu==1.20.1]"), None), "gone_from_index")
    assert found.problem == "onnxruntime-gpu 1.20.1 is asked for"
    assert found.fix == "ask for onnxruntime-gpu 1.20.0 or 1.20.2"


def test_a_lock_of_a_release_that_left_the_index_is_a_warning(stack_of) -> None:
    stack = stack_of("packages: ['onnxruntime-gpu<1.20.2']")
    only(check(stack, lock_of("onnxruntime-gpu==1.20.1")), "gone_from_index", "warning")
    assert check(stack, lock_of("onnxruntime-gpu==1.20.0")) == []


def test_a_pin_served_by_the_stacks_own_index_is_fine(stack_of) -> None:
    index = "indexes: {mine: {url: https://example.org/simple, packages: [onnxruntime-gpu]}}"
    assert check(stack_of(f"packages: [onnxruntime-gpu==1.20.1]\n{index}"), None) == []


def test_two_projects_of_one_module_conflict(stack_of) -> None:
    found = only(check(stack_of("packages: [onnxruntime, onnxruntime-gpu]"), None), "conflicting_packages")
    assert found.problem == "onnxruntime and onnxruntime-gpu are in one stack"


def test_a_conflict_brought_in_by_a_requirement_is_seen_in_the_lock(stack_of) -> None:
    stack = stack_of("packages: [opencv-python-headless]")
    lock = lock_of("opencv-python-headless==4.10.0.84", "opencv-python==4.10.0.84")
    found = only(check(stack, lock), "conflicting_packages")
    assert "opencv-python is brought in by another requirement" in found.why


@pytest.mark.parametrize(
    ("packages", "level"),
    [
        ("opencv-python-headless==4.9.0.80, numpy==2.2.6", "error"),
        ("opencv-python-headless==4.9.0.80, 'numpy>=2'", "error"),
        ("scipy==1.11.4, numpy==2.0.0", "error"),
        ("torch==1.12.1+cu113, numpy==2.*", "error"),
        ("opencv-python-headless==4.9.0.80, numpy", "warning"),
        ("opencv-python-headless==4.9.0.80", "warning"),
    ],
)
def test_a_module_of_numpy_1_meets_numpy_2(stack_of, packages: str, level: str) -> None:
    only(check(stack_of(f"packages: [{packages}]"), None), "numpy_abi", level)


@pytest.mark.parametrize(
    "packages",
    [
        "opencv-python-headless==4.9.0.80, numpy==1.26.4",
        "opencv-python-headless==4.9.0.80, 'numpy<2'",
        "opencv-python-headless==4.9.0.80, 'numpy~=1.26'",
        "opencv-python-headless==4.9.0.80, scipy==1.11.4",
        "opencv-python-headless==4.10.0.84, numpy==2.2.6",
        "torch==2.3.0, numpy==2.2.6",
    ],
)
def test_modules_that_fit_their_numpy_are_fine(stack_of, packages: str) -> None:
    assert check(stack_of(f"packages: [{packages}]"), None) == []


def test_the_locked_numpy_decides(stack_of) -> None:
    stack = stack_of("packages: [opencv-python-headless==4.9.0.80]")
    assert check(stack, lock_of("opencv-python-headless==4.9.0.80", "numpy==1.26.4")) == []
    found = only(check(stack, lock_of("opencv-python-headless==4.9.0.80", "numpy==2.2.6")), "numpy_abi")
    assert found.problem == "opencv-python-headless 4.9.0.80 meets numpy 2.2.6"


def test_onnxruntime_gpu_needs_the_folders_of_the_locked_libraries(stack_of) -> None:
    lock = lock_of("onnxruntime-gpu==1.20.2", "nvidia-cublas-cu12==12.9.3.13", "nvidia-cudnn-cu12==9.28.0.42")
    gpu = "packages: [onnxruntime-gpu==1.20.2]\n"
    found = only(check(stack_of(gpu), lock), "library_folders")
    assert found.problem == "`libraries` lacks nvidia/cublas/lib, nvidia/cudnn/lib"
    found = only(check(stack_of(f"{gpu}libraries: [nvidia/cublas/lib]"), lock), "library_folders")
    assert found.problem == "`libraries` lacks nvidia/cudnn/lib"
    assert check(stack_of(f"{gpu}libraries: [nvidia/cudnn/lib, nvidia/cublas/lib]"), lock) == []


def test_torch_alone_needs_no_folders(stack_of) -> None:
    lock = lock_of("torch==2.7.1", "nvidia-cublas-cu12==12.8.3.14")
    assert check(stack_of("packages: [torch==2.7.1]"), lock) == []


def test_a_smoke_test_that_is_not_there_is_an_error(stack_of) -> None:
    found = only(check(stack_of("smoke: [python, open_cv]"), None), "smoke_names")
    assert found.problem == "there is no smoke test open_cv"
    assert found.fix.startswith("did you mean opencv? The smoke tests are: ")


SHA_OF_DET_10G = "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
HEYGEM = "https://github.com/Holasyb918/HeyGem-Linux-Python-Hack/releases/download/ckpts_and_onnx/model_float32.onnx"


@pytest.mark.parametrize(
    "weight",
    [
        "{url: https://example.org/01_MorphableModel.mat, into: /w}",
        "{url: https://example.org/x.mat, name: 01_MorphableModel.mat, into: /w}",
        f"{{url: https://example.org/renamed.onnx, sha256: {SHA_OF_DET_10G}, into: /w}}",
        f"{{url: https://example.org/a.zip, member: {{path: b/c.onnx, sha256: {SHA_OF_DET_10G}}}, into: /w}}",
        f"{{url: '{HEYGEM}', into: /w}}",
    ],
    ids=["by-name", "by-given-name", "by-hash", "by-members-hash", "by-address"],
)
def test_a_weight_that_may_not_be_passed_on_may_not_be_baked(stack_of, weight: str) -> None:
    found = only(check(stack_of(f"weights: [{weight}]"), None), "unbakeable_weights")
    assert found.fix.startswith("write `bake: false`")
    assert check(stack_of(f"weights: [{weight[:-1]}, bake: false}}]"), None) == []


def test_a_recorded_hash_tells_a_weight_that_may_not_be_baked(stack_of) -> None:
    stack = stack_of("weights: [{url: https://example.org/renamed.onnx, into: /w}]")
    row = Artifact(kind="weight", filename="x", size=1, sha256="", origin="https://example.org/renamed.onnx")
    assert check(stack, replace(lock_of(), weights=(row,))) == []
    only(check(stack, replace(lock_of(), weights=(replace(row, sha256=SHA_OF_DET_10G),))), "unbakeable_weights")


def test_every_fact_has_its_source_and_every_rule_with_facts_a_file() -> None:
    facts = packaged_facts()
    assert set(facts) == {rule.NAME for rule in RULES}
    assert all(row["source"] for rows in facts.values() for row in rows)


def test_the_shipped_stacks_and_their_locks_break_no_rule() -> None:
    settings = site.load(environ={})
    for name, folder in stack_names(settings).items():
        stack = load_stack(name, settings)
        assert check(stack, None) == []
        assert check(stack, store.read(folder)) == []
