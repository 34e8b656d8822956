"""TensorRT's builder, told what upstream tells trtexec (which is in no wheel); and its loader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audio2face_start.errors import InputError, StartError

_UNITS = {"": 1 << 20, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}  # trtexec --help: MiB if no unit is given
_POOLS = {"workspace": "WORKSPACE", "tacticSharedMem": "TACTIC_SHARED_MEMORY"}


@dataclass
class Options:
    """shapes: input -> its dimensions at "min", "opt" and "max". pools: memory pool -> bytes."""

    shapes: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)
    fp16: bool = False


def options(arguments: Sequence[str]) -> Options:
    """What trtexec's words mean. Raises InputError for one that is not known here: an engine would be another."""
    found = Options()
    for word in arguments:
        key, _, value = word.partition("=")
        if key in ("--minShapes", "--optShapes", "--maxShapes"):
            for name, size in re.findall(r"([^:,]+):(\d+(?:x\d+)*)", value):
                found.shapes.setdefault(name, {})[key[2:5]] = tuple(int(part) for part in size.split("x"))
        elif key == "--memPoolSize":
            for name, size, unit in re.findall(r"(\w+):([\d.]+)([BKMG]?)", value):
                if name not in _POOLS:
                    raise _unknown(word)
                found.pools[_POOLS[name]] = int(float(size) * _UNITS[unit])
        elif word == "--fp16":
            found.fp16 = True
        else:
            raise _unknown(word)
    for name, shapes in found.shapes.items():
        if shapes.keys() != {"min", "opt", "max"}:
            raise InputError(f"{name} has shapes for {', '.join(sorted(shapes))} alone", "give min, opt and max")
    return found


def _unknown(word: str) -> InputError:
    return InputError(f"{word!r} of the model's trt_info.json is not known here", "use the model's pinned revision")


def version() -> str:
    """TensorRT's version."""
    return str(_tensorrt().__version__)


def build(onnx: Path, wanted: Options) -> bytes:
    """A serialised engine for this GPU. Raises StartError with TensorRT's own words."""
    trt = _tensorrt()
    log = _log(trt)
    builder = trt.Builder(log)
    explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)  # gone where it is the only kind
    network = builder.create_network(0 if explicit is None else 1 << int(explicit))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        raise _failed(onnx, [parser.get_error(at).desc() for at in range(parser.num_errors)])
    config = builder.create_builder_config()
    for name, size in wanted.pools.items():
        config.set_memory_pool_limit(getattr(trt.MemoryPoolType, name), size)
    if wanted.fp16:
        config.set_flag(trt.BuilderFlag.FP16)
    if wanted.shapes:
        profile = builder.create_optimization_profile()
        for name, shapes in wanted.shapes.items():
            profile.set_shape(name, shapes["min"], shapes["opt"], shapes["max"])
        config.add_optimization_profile(profile)
    made = builder.build_serialized_network(network, config)
    if made is None:
        raise _failed(onnx, log.errors)
    return bytes(made)


def loads(data: bytes) -> bool:
    """Whether TensorRT makes an engine of it on this GPU."""
    trt = _tensorrt()
    return bool(data) and trt.Runtime(_log(trt)).deserialize_cuda_engine(data) is not None


def _tensorrt() -> Any:  # noqa: ANN401 - it has no types
    import tensorrt  # noqa: PLC0415 (its libraries are large, and --help needs none)

    return tensorrt


def _log(trt: Any) -> Any:  # noqa: ANN401
    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps what is wrong."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:  # noqa: ANN401
            """TensorRT's hook."""
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message)

    return Log()


def _failed(onnx: Path, errors: Sequence[str]) -> StartError:
    why = "; ".join(errors[-3:]) or "it gave no reason"
    fix = "give the GPU's memory to this alone (4 GB and more), and leave the emotion model out"
    return StartError(f"TensorRT builds no engine of {onnx}: {why}", fix)
