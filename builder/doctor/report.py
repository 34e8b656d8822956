"""What a doctor's run found: its tables, what to do, one document; and the roots to show to an administrator."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.doctor.fix import Done
from builder.doctor.in_force import Setting
from builder.doctor.model import Diagnosis
from builder.errors import InputError
from builder.net.chain import facts
from builder.ui import Ui

_ROOTS_NOTE = (
    "it is not trusted by being saved: show it to your administrator, compare its sha256, then export CA_BUNDLE"
)


@dataclass(frozen=True)
class Section:
    """One table. title: as it is shown. subject: the head of the column of subjects, "" to leave it out."""

    title: str
    subject: str
    diagnoses: Sequence[Diagnosis]


@dataclass(frozen=True)
class Report:
    """settings: those in force. sections: in their order. saved: the file of saved roots, if any. fixed: what was
    tried to be mended."""

    settings: Sequence[Setting]
    sections: Sequence[Section]
    saved: Path | None = None
    fixed: Sequence[Done] = ()

    @property
    def diagnoses(self) -> list[Diagnosis]:
        """Those of all sections."""
        return [one for section in self.sections for one in section.diagnoses]

    @property
    def bad(self) -> list[Diagnosis]:
        """What needs doing."""
        return [one for one in self.diagnoses if one.state == "bad"]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "settings": [one.document() for one in self.settings],
            "diagnoses": [
                {**one.document(), "section": part.title} for part in self.sections for one in part.diagnoses
            ],
            "fixed": [one.document() for one in self.fixed],
            "saved": str(self.saved) if self.saved else None,
        }

    def show(self, ui: Ui) -> None:
        """The settings, a table for each section, and each thing to do once: first what is bad, then what helps."""
        rows = [[one.name, f"{one.value} ({one.source})"] for one in self.settings]
        ui.table("settings in force", ["setting", "value (from)"], rows)
        for section in self.sections:
            _table(section, ui)
        if self.saved:
            ui.tell(f"saved to {self.saved}; {_ROOTS_NOTE}")
        _to_do(ui, "to do", self.bad)
        _to_do(ui, "worth doing", [one for one in self.diagnoses if one.state == "note" and one.fix])
        if not self.bad:
            ui.tell("nothing to do")


def _table(section: Section, ui: Ui) -> None:
    timed = any("seconds" in one.figures for one in section.diagnoses)
    rows = []
    for one, before in zip(section.diagnoses, [None, *section.diagnoses], strict=False):
        subject = "" if before and before.subject == one.subject else one.subject
        seconds = one.figures.get("seconds")
        spent = ["" if seconds is None else f"{seconds:.1f}"] if timed else []
        rows.append([*([subject] if section.subject else []), one.check, one.state, one.message, *spent])
    first = [section.subject] if section.subject else []
    ui.table(section.title, [*first, "check", "state", "what is so", *(["s"] if timed else [])], rows)


def _to_do(ui: Ui, word: str, diagnoses: Sequence[Diagnosis]) -> None:
    """Each fix once, with all that it is for."""
    todo: dict[str, list[str]] = {}
    for one in diagnoses:
        todo.setdefault(one.fix, []).append(one.subject)
    for fix, subjects in todo.items():
        ui.tell(f"{word} ({', '.join(dict.fromkeys(subjects))}): {fix}")


def refuse_existing(path: Path) -> None:
    """Raise InputError where a file to be saved is there already."""
    if path.exists() or path.is_symlink():
        raise InputError("the file is there already", where=str(path), fix="give --save-root the name of a new file")


def save_roots(diagnoses: Sequence[Diagnosis], path: Path) -> Path | None:
    """Write the top-most certificate of each untrusted chain as PEM, each once; None where there is none.

    Raises InputError where the file is there already or cannot be written.
    """
    hosts: dict[str, list[str]] = {}
    for one in diagnoses:
        if pem := one.figures.get("untrusted_top"):
            hosts.setdefault(pem, []).append(one.subject)
    if not hosts:
        return None
    _write_new(path, "\n".join(_described(pem, subjects) for pem, subjects in hosts.items()))
    return path


def _described(pem: str, subjects: Sequence[str]) -> str:
    import ssl  # noqa: PLC0415

    one = facts(ssl.PEM_cert_to_DER_cert(pem))
    lines = [
        f"presented by {', '.join(dict.fromkeys(subjects))}; not trusted, not verified",
        f"subject: {one.subject}",
        f"issuer: {one.issuer}",
        f"valid: {one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d}",
        f"sha256: {one.sha256}",
    ]
    if not one.self_issued:
        lines.append("note: its root was not presented; this names the issuer and is nothing to trust")
    # A hostile name may hold PEM marks of its own.
    return "".join(f"# {line.replace('-----', '- - -')}\n" for line in lines) + pem


def _write_new(path: Path, text: str) -> None:
    """Put text at path whole, and only where nothing is: a link, unlike a rename, replaces nothing."""
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(aside).chmod(0o644)
            path.hardlink_to(aside)
        finally:
            Path(aside).unlink()
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError as error:
        raise InputError(
            "the root cannot be saved", where=str(path), why=error.strerror or "", fix="name a file that can be written"
        ) from None
