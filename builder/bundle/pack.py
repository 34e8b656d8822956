"""The verb export: stacks and all they need become one bundle in dist/."""

from __future__ import annotations

import glob
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builder.bundle import content
from builder.bundle.archive import END, Reader, header, padding, write_member
from builder.bundle.content import Item
from builder.bundle.manifest import MANIFEST, PROGRAM, SUMS, Manifest, Member
from builder.bundle.own import own_wheels, running_python
from builder.bundle.parts import BUNDLE, LIST, Sink, source
from builder.bundle.signature import ENDING
from builder.errors import InputError, JobError, SurroundingsError
from builder.files import held, sync_folder, undisturbed
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service
from builder.ui import Transfer, Ui, human_bytes


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What one export made.

    id: the sha256 of the manifest, which fixes every byte. files: the bundle, or its parts and their list.
    bytes: of the archive. members: number of files in it. earlier: number of files left to the base bundle.
    """

    stacks: tuple[str, ...]
    id: str
    files: tuple[str, ...]
    bytes: int
    members: int
    earlier: int
    seconds: float

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "stacks": list(self.stacks), "files": list(self.files)}


def export(
    stacks: Sequence[Loaded],
    out: Path,
    settings: Settings,
    ui: Ui,
    *,
    split: int = 0,
    base: Path | None = None,
    python: str = "",
    offline: bool = False,
) -> Exported:
    """Write a bundle of these stacks to out, a path that ends with .bundle.tar; the same inputs give the same bytes.

    split: bytes of a part, 0 for one file. base: an earlier bundle whose members are left out. python: the version
    that our own wheels are for, default the running one. offline: take those wheels only from where they are kept.
    Nothing is at the final names until all is written, verified and synced. Raises InputError (stack, lock, base),
    JobError (a file is missing or not what its lock says) or SurroundingsError (the disk is full).
    """
    started = time.monotonic()
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._+-]*{re.escape(BUNDLE)}", out.name):
        raise InputError(f"{out.name!r} is not a bundle's name", fix=f"write NAME{BUNDLE}")
    if base and base.resolve() == out.resolve():
        raise InputError("the bundle and its BASE are one file", where=str(out), fix="name another OUT=")
    earlier = _manifest_of(base) if base else None
    items = _items(stacks, settings, ui, python=python or running_python(), offline=offline)
    manifest, items = _manifest([one.name for one in stacks], items, earlier)
    out.parent.mkdir(parents=True, exist_ok=True)
    stem = out.name.removesuffix(BUNDLE)
    aside = out.with_name(f".{out.name}.new")
    with held(out.with_name(f".{out.name}.lock")):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            total = _write(manifest, items, Sink(aside, stem, split), ui)
            files = _finish(aside, out, stem)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return Exported(
        stacks=manifest.stacks,
        id=manifest.id,
        files=tuple(str(path) for path in files),
        bytes=total,
        members=len(manifest.members),
        earlier=len(manifest.earlier),
        seconds=time.monotonic() - started,
    )


def _manifest_of(bundle: Path) -> Manifest:
    """The manifest of an earlier bundle; its other members are not read."""
    stream = source(bundle)
    try:
        return Reader(stream, stream.where).manifest()
    finally:
        stream.close()


def _items(stacks: Sequence[Loaded], settings: Settings, ui: Ui, *, python: str, offline: bool) -> dict[str, Item]:
    found = [item for one in stacks for item in content.stack_items(one, settings)[0]]
    for service in (one for one in stacks if isinstance(one, Service)):
        ui.warn(f"{service.name} is someone else's image, for sites that may have it: {service.licence}")
    for item in found:
        if item.path is not None and not item.path.is_file():
            verb = "build" if item.member.name.startswith("wheels/built/") else "fetch"
            fix = f"run `make {verb} STACK={','.join(one.name for one in stacks)}`"
            raise JobError(f"{item.path.name} is in the lock but not fetched", where=str(item.path), fix=fix)
    found += content.program()
    wheels = own_wheels(python, settings, ui, offline=offline)
    found += [content.file_item(f"{PROGRAM}/{content.OWN_WHEELS}/{path.name}", path) for path in wheels]
    return content.distinct(found)


def _manifest(
    stacks: Sequence[str], items: dict[str, Item], earlier: Manifest | None
) -> tuple[Manifest, dict[str, Item]]:
    """The manifest, and the items it names as members."""
    there = {item.name: item for item in (*earlier.members, *earlier.earlier)} if earlier else {}
    kept = {name: item for name, item in items.items() if name.startswith("stacks/") or there.get(name) != item.member}
    # The index and the sums speak of both bundles together, as they lie unpacked over each other.
    both = {name: member for name, member in there.items() if name != SUMS and not name.startswith("simple/")}
    both |= {name: item.member for name, item in items.items()}
    index = {item.member.name: item for item in content.simple(both.values())}
    both |= {name: item.member for name, item in index.items()}
    listed = content.text_item(SUMS, content.sums(both.values()))
    kept |= {name: item for name, item in index.items() if there.get(name) != item.member}
    kept[SUMS] = listed
    manifest = Manifest(
        stacks=tuple(sorted(stacks)),
        members=tuple(kept[name].member for name in sorted(kept)),
        earlier=tuple(items[name].member for name in sorted(items) if name not in kept),
        base=earlier.id if earlier else "",
    )
    return manifest, kept


def _write(manifest: Manifest, items: dict[str, Item], sink: Sink, ui: Ui) -> int:
    """Write the archive; gives its bytes."""
    text = content.text_item(MANIFEST, manifest.text())
    members: list[Member] = [text.member, *manifest.members]
    total = sum(len(header(one.name, one.size)) + one.size + padding(one.size) for one in members) + len(END)
    free = shutil.disk_usage(sink.folder).free
    if total > free:
        why = f"{human_bytes(total)} are needed, {human_bytes(free)} are free"
        fix = f"write it to a larger disk: OUT=/mnt/NAME{BUNDLE}"
        raise SurroundingsError("there is not enough room for the bundle", where=str(sink.folder), why=why, fix=fix)
    try:
        with ui.transfer(f"exporting {len(members)} files", total) as transfer:
            for item in (text, *(items[member.name] for member in manifest.members)):
                _one(item, sink, transfer)
            sink.write(END)
        sink.close()
    finally:
        sink.abandon()
    return total


def _one(item: Item, sink: Sink, transfer: Transfer) -> None:
    def out(data: bytes) -> None:
        sink.write(data)
        transfer.advance(len(data))

    with item.open() as stream:
        try:
            write_member(item.member, stream, out)
        except ValueError as error:
            fix = "run `make fetch VERIFY=1` of the stacks, then export again"
            problem = f"{item.member.name} is not what it should be"
            raise JobError(problem, where=str(item.path or ""), why=str(error), fix=fix) from None


def _finish(aside: Path, out: Path, stem: str) -> list[Path]:
    """Give the files their names, the list of parts last, and take away what an earlier export left under them.

    What an earlier one left goes only when the new bundle is there, and no signal but SIGKILL ends it before. Parts may
    take the names of parts: meanwhile there is no list, so that nothing is believed which is not whole.
    """
    listed = out.with_name(f"{stem}{LIST}")
    new = [out.with_name(name) for name in sorted((path.name for path in aside.iterdir()), key=_last_the_list)]
    old = {out, listed, *out.parent.glob(f"{glob.escape(stem)}{BUNDLE}.[0-9][0-9][0-9]")}
    old |= {path.with_name(f"{path.name}{ENDING}") for path in (out, listed)}
    with undisturbed():
        if listed in new:
            listed.unlink(missing_ok=True)
        for path in new:
            (aside / path.name).replace(path)
        for path in old.difference(new):
            path.unlink(missing_ok=True)
    sync_folder(out.parent)
    return new


def _last_the_list(name: str) -> tuple[bool, str]:
    return name.endswith(LIST), name
