"""The mirror of a distribution, from the settings, apt's two styles of source files, and debootstrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import SurroundingsError
from builder.net.archive import archive
from builder.settings import Settings


def _settings(**mirrors: str) -> Settings:
    return Settings(home=Path("/nonexistent"), stacks=(), mirrors=mirrors)


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_one_line_sources(tmp_path):
    lines = [
        "# deb http://commented.example/debian bookworm main",
        "deb-src http://source.example/debian bookworm main",
        "deb http://other.example/tools bookworm main",
        "deb http://security.example/debian bookworm-security main",
        "deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/pub/debian/ bookworm main",
        "deb http://ubuntu.example/ubuntu noble main",
    ]
    _write(tmp_path, "etc/apt/sources.list", "\n".join(lines))
    assert archive(_settings(), "debian", root=tmp_path) == "https://mirror.example/pub/debian"
    assert archive(_settings(), "ubuntu", root=tmp_path) == "http://ubuntu.example/ubuntu"


def test_deb822_sources(tmp_path):
    text = """\
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Enabled: no

# a remark
Types: deb deb-src
URIs: http://security.example/debian
Suites: bookworm-security

types: deb
URIs: http://other.example/x
  https://mirror.example/debian
Suites: bookworm
 bookworm-updates
"""
    _write(tmp_path, "etc/apt/sources.list.d/debian.sources", text)
    _write(tmp_path, "etc/apt/sources.list.d/a.sources.save", "Types: deb\nURIs: http://a.example/debian\nSuites: x\n")
    assert archive(_settings(), "debian", root=tmp_path) == "https://mirror.example/debian"


def test_debootstrap_knows_one_where_apt_does_not(tmp_path):
    _write(
        tmp_path, "usr/share/debootstrap/scripts/sid", "mirror_style release\ndefault_mirror http://d.example/debian\n"
    )
    assert archive(_settings(), "debian", root=tmp_path) == "http://d.example/debian"


def test_the_settings_win_and_nothing_is_an_error_with_its_remedy(tmp_path):
    assert archive(_settings(debian="https://given.example/d/"), "debian", root=tmp_path) == "https://given.example/d"
    with pytest.raises(SurroundingsError, match="no mirror of ubuntu") as caught:
        archive(_settings(), "ubuntu", root=tmp_path)
    assert "MODELSTACKS_UBUNTU_MIRROR" in caught.value.fix


def test_security_updates_lie_beside_the_main_archive(tmp_path):
    mirror = _settings(debian="https://given.example/debian")
    assert archive(mirror, "debian-security", root=tmp_path) == "https://given.example/debian-security"
