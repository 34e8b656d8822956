"""The interpreter, and exactly the locked packages."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.check import packaged_facts
from builder.check.spans import within
from builder.smoke.brief import UNKNOWN_UID, Expected, Probes

built = pytest.mark.targets("image", "container")  # of a machine nobody promises how it was filled


def _installed(probe: Probes) -> list[tuple[str, str]]:
    return [(str(canonicalize_name(name)), version) for name, version in probe("python")["packages"]]


def test_python_has_the_version_of_the_stack(stack: Expected, probe: Probes) -> None:
    version = probe("python")["version"]
    assert version.split(".")[:2] == stack.python.split("."), f"Python is {version}, the stack says {stack.python}"


@built
def test_python_on_path_is_the_virtual_environment(stack: Expected, host: Any, probe: Probes) -> None:
    found = host.run("command -v python").stdout.strip()
    assert found == "/opt/venv/bin/python", f"`python` is {found or 'not on PATH'}"
    assert probe("python")["prefix"] == "/opt/venv"
    used, wanted = (host.run("readlink -f %s", path).stdout.strip() for path in (found, stack.interpreter))
    assert used == wanted, f"`python` is {used}, the stack says {stack.interpreter}"


def test_every_locked_package_is_installed_at_its_locked_version(stack: Expected, probe: Probes) -> None:
    installed = set(_installed(probe))
    missing = [f"{name}=={version}" for name, version in sorted(stack.pins.items()) if (name, version) not in installed]
    found = [f"{name}=={version}" for name, version in sorted(installed) if name in stack.pins]
    assert not missing, f"locked but not installed: {', '.join(missing)}; installed: {', '.join(found)}"


@built
def test_nothing_else_is_installed(stack: Expected, probe: Probes) -> None:
    installed = _installed(probe)
    extra = [f"{name}=={version}" for name, version in installed if name not in stack.pins]
    assert not extra, f"installed but not locked: {', '.join(extra)}"
    twice = [name for name, count in Counter(name for name, _ in installed).items() if count > 1]
    assert not twice, f"installed more than once: {', '.join(twice)}"


@built
def test_python_works_from_root_folder_as_another_user(stranger: Any, probe: Probes) -> None:
    code = "import importlib.metadata as m; print(len([d.metadata['Name'] for d in m.distributions()]))"
    done = stranger.run("cd / && python -c %s", code)
    assert done.rc == 0, f"as user {UNKNOWN_UID}: {done.stderr.strip()[-500:]}"
    assert int(done.stdout) == len(probe("python")["packages"]), f"user {UNKNOWN_UID} sees other packages"


@built
def test_no_installer_cache_or_package_list_is_left(probe: Probes) -> None:
    left = probe("python")["leftovers"]
    assert not left, f"left behind by the build: {', '.join(left[:10])}"


@built
def test_no_bytecode_depends_on_time(probe: Probes) -> None:
    timed = probe("python")["timed_bytecode"]
    assert not timed, f"{len(timed)} .pyc valid only by the time of their source, such as {timed[0]}"


@built
def test_no_package_remembers_when_it_was_installed(probe: Probes) -> None:
    notes = probe("python")["installer_notes"]
    assert not notes, f"notes of the installer, with times: {', '.join(notes[:3])}"


@built
def test_no_package_remembers_a_build_path(probe: Probes) -> None:
    remembered = probe("python")["direct_urls"]
    assert not remembered, f"direct_url.json of: {', '.join(remembered)}"


def test_a_client_that_trusts_the_systems_store_alone_finds_roots_there(stack: Expected, probe: Probes) -> None:
    rows = [one for one in packaged_facts()["trust_stores"] if not one.get("roots", True)]
    alone = [
        f"{one['package']} {version}"
        for one in rows
        if (version := stack.pins.get(one["package"])) and within(Version(version), one["versions"])
    ]
    assert not alone or probe("python")["roots"], f"no certificate in the system's store, for {', '.join(alone)}"
