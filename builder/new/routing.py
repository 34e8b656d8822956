"""Which index each project comes from: by its local version, by an address that was given, by the CUDA asked for."""

from __future__ import annotations

import re

from packaging.specifiers import SpecifierSet

from builder.check import packaged_facts
from builder.new.decide import Asking
from builder.new.found import Decision, fits
from builder.new.known import pages
from builder.spec.text import HttpsUrl


def routed(asking: Asking) -> dict[str, str]:
    """The index of each project that does not come from the default one; the draft gets those indexes."""
    found: dict[str, str] = {}
    for project, one in asking.asked.items():
        local = next((spec.version.partition("+")[2] for spec in one.specifier if "+" in spec.version), "")
        if cuda := re.fullmatch(r"(cu\d{2,3}|cpu|rocm[\d.]+)", local):
            found[project] = _index(asking, f"https://download.pytorch.org/whl/{cuda[1]}", "url", f"pytorch-{cuda[1]}")
    found |= _by_cuda(asking, found)
    for kind, page in asking.found.pages:
        address = page.text.strip()
        row = next((one for one in pages() if address.startswith(one["address"])), None)
        served = [one for one in row["packages"] if one in asking.asked and one not in found] if row else []
        if kind == "index-url" and not row:
            why = "the default index is this machine's, by the settings"
            asking.draft.decisions.append(Decision(kind="left out", what=address, why=why, where=page.where))
        elif not row or not fits(HttpsUrl, address):
            why = "an index serves exactly the packages that are named at it; which come from here is not known"
            asking.draft.note("indexes", f"NAME: {{url: {address}, packages: [...]}}  {page.where}: {why}")
            asking.draft.decisions.append(
                Decision(kind="yours", what=address, into="indexes", why=why, where=page.where)
            )
        elif served and (why := _same_build(asking, address)):
            asking.draft.decisions.append(
                Decision(kind="changed", what=address, into="packages", why=why, where=page.where)
            )
        elif served:
            key = "find-links" if kind == "find-links" else "url"
            tail = re.search(r"/(cu\d+|cpu)/?$", address)
            name = f"{row['name']}{'-' + tail[1] if tail else ''}"
            found |= dict.fromkeys(served, _index(asking, address, key, name))
            why = f"it serves {', '.join(served)} ({row['source']})"
            asking.draft.decisions.append(
                Decision(kind="moved", what=address, into="indexes", why=why, where=page.where)
            )
    for project, name in found.items():
        asking.draft.served.setdefault(name, []).append(project)
    return found


def _same_build(asking: Asking, address: str) -> str:
    """Why torch comes from the default index, though an index of its builds is named beside it; "" where it does not.

    That is where both are the same release, of one major version of CUDA, with code for the same GPUs.
    """
    one, tag = asking.asked.get("torch"), re.search(r"/cu(\d+)(\d)/?$", address)
    pins = {spec.version for spec in one.specifier if spec.operator == "=="} if one else set()
    if not tag or len(pins) != 1 or "+" in (pin := pins.pop()):
        return ""
    there = f"{tag[1]}.{tag[2]}"
    row = next((row for row in packaged_facts()["torch_releases"] if _holds(f"=={row['torch']}", pin)), None)
    if not row or there not in row["builds"] or row["default"].split(".")[0] != tag[1]:
        return ""
    if _code(pin, there) != _code(pin, row["default"]):
        return ""
    same = "that CUDA" if there == row["default"] else f"CUDA {row['default']}, for the same GPUs and drivers"
    return f"torch {pin} of the default index is of {same}, and needs no host more ({row['source']})"


def _code(torch: str, cuda: str) -> tuple[str, ...]:
    rows = packaged_facts()["torch_builds"]
    found = next((row for row in rows if cuda in row["cuda"] and _holds(row["torch"], torch)), None)
    return (*found["capabilities"], found["ptx"]) if found else (torch, cuda)


def _holds(specifier: str, version: str) -> bool:
    return SpecifierSet(specifier).contains(version.removesuffix(".*"), prereleases=True)


def _by_cuda(asking: Asking, found: dict[str, str]) -> dict[str, str]:
    """The index of torch's build for the CUDA that is asked for beside it, where the default index has another."""
    one, cuda = asking.asked.get("torch"), next((hint for hint in asking.found.cuda if hint.text), None)
    pinned = next((spec.version for spec in one.specifier if spec.operator == "=="), "") if one else ""
    if not pinned or not cuda or "torch" in found:
        return {}
    rows = packaged_facts()["torch_releases"]
    row = next((row for row in rows if SpecifierSet(f"=={row['torch']}").contains(pinned.removesuffix(".*"))), None)
    wanted = ".".join(cuda.text.split(".")[:2])
    if not row or wanted == row["default"] or wanted not in row["builds"]:
        return {}
    tag = f"cu{wanted.replace('.', '')}"
    name = _index(asking, f"https://download.pytorch.org/whl/{tag}", "url", f"pytorch-{tag}")
    why = f"torch {pinned} of the default index is of CUDA {row['default']}, asked for is {wanted} ({row['source']})"
    what = f"CUDA {cuda.text}"
    asking.draft.decisions.append(Decision(kind="moved", what=what, into="indexes", why=why, where=cuda.where))
    served = next(page["packages"] for page in pages() if page["name"] == "pytorch")
    return {project: name for project in served if project in asking.asked}


def _index(asking: Asking, address: str, key: str, name: str) -> str:
    asking.draft.indexes.setdefault(name, (key, address))
    return name
