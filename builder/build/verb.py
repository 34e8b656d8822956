"""The verb build, for stacks and services."""

from __future__ import annotations

from builder.build import Built, build, compile_all, service
from builder.engine.client import Engine
from builder.lock.existing import locked
from builder.render.service import render as write_compose
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service
from builder.ui import Ui


def have(
    one: Loaded, settings: Settings, engine: Engine, ui: Ui, *, frozen: bool = False, offline: bool = False
) -> Built:
    """Have the image in the engine: compile what is to be compiled and build it, or load a service's.

    A service's compose file is written too. frozen: refuse to record compiled wheels. offline: ask no mirror.
    Raises InputError without a lock or with a stale one, and as `compile_all`, `build` and `service.build` do.
    """
    if isinstance(one, Service):
        service_lock = locked(one)
        write_compose(one, service_lock, settings)
        built, done = service.build(one, service_lock, settings, engine, ui), "loaded"
    else:
        lock = compile_all(one, locked(one), one.folder, settings, engine, ui, frozen=frozen, offline=offline)
        built, done = build(one, lock, settings, engine, ui), "built"
    ui.tell(f"{one.name}: {done if built.built else 'unchanged'} {built.tag} {built.id}")
    return built
