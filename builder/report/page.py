"""All that the page of one stack shows: from its file, its lock and what runs left. Nothing is run, nobody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from builder.check import packaged_facts
from builder.errors import InputError
from builder.lock import service as services
from builder.lock import store
from builder.lock.inputs import digest, listed, require_fresh
from builder.lock.model import StackLock
from builder.lock.service import ServiceLock
from builder.render import running
from builder.render import service as pulled
from builder.report import built, history, proofs, sizes, treemap
from builder.sbom.parts import Part
from builder.sbom.parts import parts as listed_parts
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service

State = Literal["none", "fresh", "partial", "stale", "damaged"]
_WIDE, _NARROW = (1000, 460), (350, 560)


@dataclass(frozen=True)
class Gpu:
    """A compute capability, and cards that have it."""

    capability: str
    cards: tuple[str, ...]


@dataclass(kw_only=True)
class Page:
    """One stack or service. state: of its lock, and why in words. facts: names and values of a table."""

    name: str
    kind: Literal["stack", "service"]
    summary: str
    state: State
    why: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    gpus: list[Gpu] = field(default_factory=list)
    gpu_note: str = ""
    layers: list[sizes.Layer] = field(default_factory=list)
    wide: treemap.Picture | None = None
    narrow: treemap.Picture | None = None
    timeline: built.Timeline = field(default_factory=built.Timeline)
    proof: proofs.Proof | None = None
    lock: str = ""
    others: list[proofs.Proof] = field(default_factory=list)
    history: history.History | None = None
    parts: list[Part] = field(default_factory=list)
    licences: list[tuple[str, int]] = field(default_factory=list)
    parts_why: str = ""
    accepted: list[tuple[str, str]] = field(default_factory=list)
    commands: list[tuple[str, str]] = field(default_factory=list)
    compose: str = ""

    @property
    def size(self) -> int:
        """Bytes of all that is fetched for the image."""
        return sizes.total(self.layers)

    @property
    def smoke(self) -> str:
        """In a word or two."""
        return _told(self.proof) if self.proof else "not run here"

    @property
    def elsewhere(self) -> proofs.Proof | None:
        """The newest evidence of another machine that is of the stack's own image and this very lock."""
        own = [one for one in self.others if one.of_the_stack and one.lock and one.lock == self.lock]
        return max(own, key=lambda one: (one.date, one.image_id), default=None)

    @property
    def proved(self) -> str:
        """Where that is, and what came out."""
        one = self.elsewhere
        where = one.devices[0].name if one and one.devices else "another machine"
        return f"{_told(one)} on {where}" if one else ""

    def old(self, proof: proofs.Proof) -> bool:
        """Whether evidence is of another lock than the one that is there now."""
        return bool(proof.lock and self.lock and proof.lock != self.lock)


def _told(proof: proofs.Proof) -> str:
    failed = proof.count("failed")
    return f"{failed} failed" if failed else f"{proof.count('passed')} passed"


def gather(one: Loaded, settings: Settings, evidence: Sequence[proofs.Proof]) -> Page:
    """The page of a stack or service, whatever state it is in."""
    page = _service(one, settings) if isinstance(one, Service) else _stack(one, settings)
    if page.layers:
        page.wide, page.narrow = (treemap.draw(page.layers, *size) for size in (_WIDE, _NARROW))
    page.proof = proofs.own(settings.build / one.name)
    page.others = [proof for proof in evidence if proof.stack == one.name and proof != page.proof]
    return page


def _stack(stack: Stack, settings: Settings) -> Page:
    lock, state, why = _lock(stack)
    page = Page(name=stack.name, kind="stack", summary=stack.summary, state=state, why=why)
    page.facts = [
        ("family", stack.family),
        ("Python", stack.python),
        ("CUDA", stack.cuda or "none"),
        *([("torch", stack.torch)] if stack.torch else []),
        ("asked for", ", ".join(stack.packages)),
        *([("extensions", ", ".join(one.name for one in stack.extensions))] if stack.extensions else []),
        *([("mounted weights", ", ".join(one.filename for one in stack.mounted))] if stack.mounted else []),
    ]
    page.gpus = _gpus(stack)
    page.gpu_note = "" if page.gpus else ("needs none" if stack.cuda is None else "any that its CUDA runs on")
    page.accepted = [*stack.accept.items(), *stack.accept_advisories.items()]
    page.timeline = built.timeline(settings.build / stack.name)
    image = settings.image(stack.name)
    gpu = "--gpus all " if stack.cuda else ""
    page.commands = [
        ("build and prove it", f"make stack STACK={stack.name}"),
        ("run it", f"docker run --rm -it {gpu}{image}"),
        ("write compose.yaml and pod.yaml", f"make compose STACK={stack.name}"),
    ]
    if lock:
        _of_lock(page, stack, lock, settings)
    return page


def _of_lock(page: Page, stack: Stack, lock: StackLock, settings: Settings) -> None:
    page.facts += [("lock", lock.digest), ("platform", lock.platform), ("files", str(len(lock.artifacts())))]
    page.facts.append(("base", lock.base.reference or f"{lock.base.distribution}, bootstrapped"))
    page.layers = sizes.layers(stack, lock)
    page.history = history.since(stack.folder, lock)
    page.lock = lock.digest
    if page.state != "fresh":
        page.parts_why = f"Its lock is {page.state}, so nobody can tell: make lock STACK={stack.name}"
        return
    page.compose = running.texts(stack, lock, settings)[running.COMPOSE]
    try:
        page.parts = listed_parts(stack, lock, settings)
        page.licences = _counted(page.parts)
    except InputError as error:
        page.parts_why = f"{error.problem}: {error.why}. {error.fix}"


def _lock(stack: Stack) -> tuple[StackLock | None, State, str]:
    """The lock, also one that is stale, and what is to be said of it."""
    if not store.exists(stack.folder):
        return None, "none", f"make lock STACK={stack.name}"
    try:
        lock = store.read(stack.folder)
    except InputError as error:
        return None, "damaged", error.problem
    if lock.inputs != digest(stack):
        return lock, "stale", "the stack asks for something else than when it was locked"
    try:
        require_fresh(stack, lock, stack.folder)
    except InputError as error:
        return None, "damaged", error.why or error.problem
    if lock.unresolved:
        return lock, "partial", listed(lock.unresolved)
    return lock, "fresh", ""


def _service(service: Service, settings: Settings) -> Page:
    lock, state, why = _service_lock(service)
    page = Page(name=service.name, kind="service", summary=service.summary, state=state, why=why)
    page.facts = [
        ("image", service.image),
        ("licence", service.licence),
        ("ports", ", ".join(f"{name} {number}" for name, number in service.ports.items())),
        ("ready when", f"GET {service.health.path} on {service.health.port} answers 200"),
        *(("volume", f"{name}: {one.into}, {one.holds}") for name, one in service.volumes.items()),
        *([("secrets, by name", ", ".join(service.secrets))] if service.secrets else []),
    ]
    page.gpu_note = "one NVIDIA GPU; see its page" if service.gpu else "needs none"
    page.commands = [
        ("have its image", f"make build STACK={service.name}"),
        ("run it", f"docker compose --file {_beside(service.name)}/compose.yaml up"),
    ]
    page.parts_why = "a service is pulled by digest; what its image holds is its publisher's to tell"
    if lock:
        page.lock = lock.digest
        page.facts += [("lock", lock.digest), ("pulled by", lock.reference), ("files", str(len(lock.blobs)))]
        page.layers = sizes.service_layers(lock)
        page.compose = pulled.compose(service, lock, settings)
    return page


def _beside(name: str) -> Path:
    return Path("build", name)


def _service_lock(service: Service) -> tuple[ServiceLock | None, State, str]:
    if not store.exists(service.folder):
        return None, "none", f"make lock STACK={service.name}"
    try:
        lock = services.read(service.folder)
    except InputError as error:
        return None, "damaged", error.problem
    if lock.inputs != services.inputs_digest(service):
        return lock, "stale", "the service names another image than when it was locked"
    return lock, "fresh", ""


def _gpus(stack: Stack) -> list[Gpu]:
    rows = packaged_facts()["gpus"]
    found = []
    for capability in stack.gpus:
        own = capability.removesuffix("+PTX")
        cards = tuple(row["gpu"] for row in rows if row["capability"] == own and row["kind"] != "jetson")
        found.append(Gpu(capability, cards[:8]))
    return found


def _counted(parts: Sequence[Part]) -> list[tuple[str, int]]:
    """How many parts of the image state each licence, the most first."""
    counts: dict[str, int] = {}
    for part in parts:
        if part.shipped:
            for licence in part.licences or ("states none",):
                counts[licence] = counts.get(licence, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
