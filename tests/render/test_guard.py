"""The second door of a build: what is rendered is read again, and holds nothing that our templates do not make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builder import settings as site
from builder.errors import InputError
from builder.render.dockerfile import environment
from builder.render.guard import require_ours

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*Dockerfile"))
BASE = f"modelstacks/base:debian-{'0' * 12}"
CONTEXTS = ("uv", "wheels")
GOOD = f"""# Rendered from stacks/one by modelstacks; change the stack, not this file.

FROM {BASE} AS base
FROM base AS installer
ENV A="b" \\
    C=d
RUN --mount=from=uv,target=/mnt/uv --mount=type=tmpfs,target=/tmp \\
    --mount=type=cache,id=modelstacks-ccache,target=/var/cache/ccache \\
# a comment between
    echo 'a < b' \\

 && true
FROM scratch
COPY --link --from=installer /layer/ /
WORKDIR /workspace
ENTRYPOINT ["python", "-c", "print(1)"]
LABEL a="b"
"""


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_what_is_rendered_of_shipped_stacks_is_ours(path: Path) -> None:
    text = path.read_text()
    names = r"(?:uv|source|sources|weights|files|run|debs|toolchain-debs|toolchain|extensions|wheels[a-z0-9-]*)"
    contexts = set(re.findall(rf"--mount=from=({names}),", text))
    require_ours(text, contexts, path.name)
    with pytest.raises(InputError, match="is no context of this build"):
        try:
            require_ours(text, contexts - {"uv"}, path.name)
        except InputError as error:
            raise InputError(error.why) from None


def test_a_dockerfile_of_ours_is_taken() -> None:
    require_ours(GOOD, CONTEXTS, "Dockerfile")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ADD http://127.0.0.1:1/x /", "templates write FROM"),
        ("ADD x /", "templates write FROM"),
        ("add http://127.0.0.1:1/x /", "templates write FROM"),
        ("USER root", "templates write FROM"),
        ("ONBUILD RUN id", "templates write FROM"),
        ("SHELL [\"/bin/x\"]", "templates write FROM"),
        ("VOLUME /x", "templates write FROM"),
        ("run id", "templates write FROM"),
        ("FROM ubuntu", "a stage begins from a base of ours"),
        ("FROM --platform=linux/arm64 base AS x", "a stage begins from a base of ours"),
        ("FROM docker.io/modelstacks/base:debian-000000000000", "a stage begins from a base of ours"),
        (f"FROM {BASE}@sha256:{'0' * 64}", "a stage begins from a base of ours"),
        ("FROM later AS x\nFROM base AS later", "a stage begins from a base of ours"),
        ("FROM base as x", "a stage is written FROM NAME AS STAGE"),
        ("COPY x /", "files are copied from an earlier stage"),
        ("COPY --from=ubuntu /etc /", "files are copied from an earlier stage"),
        ("COPY --from=base --from=base /etc /", "files are copied from an earlier stage"),
        ("COPY --from=base --chown=0 /etc /", "files are copied from an earlier stage"),
        ("COPY --from=uv /uv /", "files are copied from an earlier stage"),
        ("COPY --from=base <<EOF /x", "one path is copied to another"),
        ("COPY --from=base /a /b /c", "one path is copied to another"),
        ("USER 0:0", "templates write FROM"),
        ("USER 1000:0", "templates write FROM"),
        ("RUN --mount=from=ubuntu,target=/x id", "ubuntu is no context of this build"),
        ("RUN --mount=type=bind,from=ubuntu,target=/x id", "no mount of ours"),
        ("RUN --mount=type=secret,id=x,target=/x id", "no mount of ours"),
        ("RUN --mount=type=ssh id", "no mount of ours"),
        ("RUN --mount=from=uv,target=/x,rw id", "no mount of ours"),
        ("RUN --mount=type=cache,id=other,target=/x id", "other is no cache of ours"),
        ("RUN --mount=type=cache,id=modelstacks-x,from=ubuntu,target=/x id", "no mount of ours"),
        ("RUN --network=host id", "no mount of ours"),
        ("RUN --security=insecure id", "no mount of ours"),
        ("RUN \\\n --network=host id", "no mount of ours"),
        ("RUN cat <<EOF\nid\nEOF", "it holds a here-document"),
        ("ARG EVIL=1", "the only argument"),
        ("ARG BUILDKIT_SYNTAX=evil/frontend", "the only argument"),
        ("ENV", "nothing follows it"),
        ("# syntax=evil.example/frontend", "templates write FROM"),
        ("#syntax = evil.example/frontend", "templates write FROM"),
        ("# escape=`", "templates write FROM"),
        ("ENV A=b\rRUN id", "templates write FROM"),
        ("ENV A=b\x00", "templates write FROM"),
        ("ENV A=b \\", ""),
    ],
)  # fmt: skip
def test_what_no_template_makes_is_refused_with_its_line(line: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        require_ours(f"{GOOD}{line}\n", CONTEXTS, "Dockerfile")
    assert why in caught.value.why
    assert re.match(r"Dockerfile:\d+$", caught.value.where)
    assert caught.value.problem.startswith("the Dockerfile holds what no template of ours makes")


@pytest.mark.parametrize("line", ["# syntax=evil.example/x", "#SYNTAX = x", "# escape=`", "# check=skip=all"])
def test_a_directive_that_makes_the_engine_fetch_a_frontend_is_refused(line: str) -> None:
    with pytest.raises(InputError) as caught:
        require_ours(f"{line}\n{GOOD}", CONTEXTS, "Dockerfile")
    assert caught.value.where == "Dockerfile:1"


@pytest.mark.parametrize("value", ["a\nRUN id", "a\rb", "a\x00", "a\u2028b", "a\x85b", "\n"])
def test_no_value_begins_a_new_line(value: str, tmp_path: Path) -> None:
    (tmp_path / "one.j2").write_text("ENV A={{ value }}\n{% for one in many %}\nENV B={{ one }}\n{% endfor %}\n")
    template = environment(tmp_path).get_template("one.j2")
    assert template.render(value="a b", many=[1, "ü"]) == "ENV A=a b\nENV B=1\nENV B=ü\n"
    for given in ({"value": value, "many": []}, {"value": "a", "many": [value]}):
        with pytest.raises(InputError, match="would begin another line"):
            template.render(**given)


def test_every_template_is_rendered_with_that_guard() -> None:
    assert environment(site.load(environ={}).templates).finalize is not None
