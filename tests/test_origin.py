"""Where files are found: what is written is read back, and what could be an option, a path or a line is refused."""

from __future__ import annotations

import pytest

from builder.origin import LONGEST, Origin

COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("index:default", ("index", "default", "", "")),
        ("index:pytorch.cu-113", ("index", "pytorch.cu-113", "", "")),
        (
            "archive:debian/pool/main/g/g++_12%3a1_amd64.deb",
            ("archive", "debian", "", "pool/main/g/g++_12%3a1_amd64.deb"),
        ),
        ("archive:debian-security/pool/a.deb", ("archive", "debian-security", "", "pool/a.deb")),
        (f"git+https://host.example:8443/a/b.git@{COMMIT}", ("git", "https://host.example:8443/a/b.git", COMMIT, "")),
        (f"git+https://host/a@b@{'0' * 64}", ("git", "https://host/a@b", "0" * 64, "")),
        ("https://host/net.bin?x=1&y=%20", ("https", "https://host/net.bin?x=1&y=%20", "", "")),
        (f"hf:A/b.c@{COMMIT}/models/net.pth", ("hf", "A/b.c", COMMIT, "models/net.pth")),
        ("member:0123-a.zip/models/.net.pth", ("member", "0123-a.zip", "", "models/.net.pth")),
        ("registry:docker.io/library/ubuntu", ("registry", "docker.io/library/ubuntu", "", "")),
        ("registry:127.0.0.1:5000/x", ("registry", "127.0.0.1:5000/x", "", "")),
        (f"built:{'0' * 64}", ("built", "0" * 64, "", "")),
    ],
)
def test_an_origin_is_written_as_it_is_read(text: str, parts: tuple[str, str, str, str]) -> None:
    found = Origin.parse(text)
    assert (found.scheme, found.place, found.revision, found.path) == parts
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default",
        "ftp://host/x",
        "http://host/x",
        "index:",
        "index:Default",
        "index:--upgrade",
        "index:default\n",
        "git+https://host/a@--output=/tmp/x",
        "git+https://host/a@main",
        f"git+https://host/a@{'a' * 41}",
        f"git+https://host/a@{'A' * 40}",
        f"git+https://user:secret@host/a@{COMMIT}",
        f"git+ext::sh -c id@{COMMIT}",
        f"git+--upload-pack=id@{COMMIT}",
        f"git+file:///etc@{COMMIT}",
        "https://host/a b",
        "https://host/a\nRUN id",
        "https://user@host/a",
        "https://",
        "archive:debian/../../etc/passwd",
        "archive:debian//etc/passwd",
        "archive:debian/",
        "archive:-o/pool/a.deb",
        "archive:debian/-o",
        f"hf:A/b@{COMMIT}/../x",
        f"hf:A@{COMMIT}/x",
        f"hf:-A/b@{COMMIT}/x",
        "hf:A/b@main/x",
        "member:../a.zip/x",
        "member:a.zip",
        "member:a.zip/x/./y",
        "registry:docker.io",
        "registry:--all/x",
        "registry:docker.io/x\nADD y",
        "registry:docker.io/-x",
        "built:../../etc",
        f"built:{'0' * 63}",
        "https://host/" + "x" * LONGEST,
        "index:\u0661",
        "index:de\u00adfault",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|at most"):
        Origin.parse(text)


def test_a_value_made_by_hand_is_held_to_the_same() -> None:
    with pytest.raises(ValueError, match="not a full commit"):
        Origin("git", "https://host/a", "--output=x")
    with pytest.raises(ValueError, match="is not the path"):
        Origin("index", "default", path="x")
