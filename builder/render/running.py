"""How an image is run: build/NAME/compose.yaml for Docker Compose and build/NAME/pod.yaml for Kubernetes."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder.files import write_atomic
from builder.lock.model import StackLock
from builder.render.dockerfile import environment
from builder.settings import Settings
from builder.spec.model import Stack

COMPOSE, POD = "compose.yaml", "pod.yaml"
# GB of /dev/shm where torch is, whose workers hand batches over in it; a ceiling, of which nothing is taken at once
_SHARED_MEMORY = 8


@dataclass(frozen=True)
class Running:
    """What was written. compose, pod: their paths."""

    compose: Path
    pod: Path

    def document(self) -> dict[str, str]:
        """For --json."""
        return {"compose": str(self.compose), "pod": str(self.pod)}


def command(stack: Stack, image: str) -> str:
    """The command that runs an image as it is meant: its own program, or Python where it has none."""
    words = ["docker", "run", "--rm", "-it", *(["--gpus", "all"] if stack.cuda else [])]
    words += [word for port in stack.ports for word in ("-p", f"{port}:{port}")]
    words += [image, *([] if stack.entrypoint or stack.cmd else ["python"])]
    return shlex.join(words)


def texts(stack: Stack, lock: StackLock, settings: Settings) -> dict[str, str]:
    """The text of both by their file's name: an ordinary user, a read-only root, a /tmp that programs may be loaded
    from, the GPUs where the stack has CUDA, and the weights that who runs the image has to mount."""
    torch = any(wheel.project == "torch" for wheel in lock.wheels)
    paths = [PurePosixPath(weight.into) / weight.filename for weight in stack.mounted]
    names = Counter(path.name for path in paths)
    values = {
        "stack": stack,
        "project": stack.name.replace(".", "-"),
        "image": settings.image(stack.name, lock.digest[:12]),
        "uid": stack.user.uid if stack.user else 1000,
        "gpu": stack.cuda is not None,
        # where each lies in the folder of weights, and where the image wants it
        "weights": [(path.name if names[path.name] == 1 else str(path).lstrip("/"), str(path)) for path in paths],
        "shm": f"{_SHARED_MEMORY}gb" if torch else "",
        "shm_pod": f"{_SHARED_MEMORY}Gi",
    }
    templates = environment(settings.templates)
    return {name: templates.get_template(of).render(values) for name, of in ((COMPOSE, "run.j2"), (POD, "pod.j2"))}


def render(stack: Stack, lock: StackLock, settings: Settings) -> Running:
    """Write both into build/NAME."""
    folder = settings.build / stack.name
    for name, text in texts(stack, lock, settings).items():
        write_atomic(folder / name, text)
    return Running(folder / COMPOSE, folder / POD)
