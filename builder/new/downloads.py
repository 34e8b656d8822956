"""Weights that a repository downloads when it runs: addresses in its code and its README."""

from __future__ import annotations

import re

from builder.new.found import Asked, Found
from builder.new.tree import Tree

_MOST = 60
# Code, and not weights: what pip installs, and a repository as an archive.
_CODE = re.compile(r"pip3? install\b|https://(github|gitlab)\.com/[\w.-]+/[\w.-]+/(-/)?archive/")
_ENDS = r"(?:pth|pt|pth\.tar|ckpt|safetensors|onnx|bin|tar|tar\.gz|zip|pkl|npz|mat|task|trt|engine|dat|bz2)"
_PATTERNS = {
    "an address": re.compile(rf"https://[A-Za-z0-9._~:/?&=%+@-]{{4,400}}\.{_ENDS}(?![\w.])"),
    "gdown": re.compile(r"https://drive\.google\.com/[A-Za-z0-9._~:/?&=%+-]{4,200}"),
    "huggingface_hub": re.compile(r"(?:from_pretrained|snapshot_download|hf_hub_download)\(\s*(?:repo_id\s*=\s*)?"
                                  r"[\"']([A-Za-z0-9][\w.-]*/[\w.-]+)[\"']"),
    "huggingface-cli": re.compile(r"(?:huggingface-cli|hf) download\s+([A-Za-z0-9][\w.-]*/[\w.-]+)"),
    "torch.hub": re.compile(r"torch\.hub\.load\(\s*[\"']([\w.-]+/[\w.-]+)"),
}  # fmt: skip


def read(tree: Tree, found: Found) -> None:
    """Add each weight once, where it is first named."""
    seen: set[str] = set()
    for path in sorted(tree.files):
        if not path.endswith((".py", ".md", ".sh", ".yaml", ".yml", ".ipynb")):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if _CODE.search(line[:2000]):
                continue
            for how, pattern in _PATTERNS.items():
                for match in pattern.finditer(line[:2000]):
                    what = match[1] if pattern.groups else match[0]
                    if what not in seen and len(seen) < _MOST:
                        seen.add(what)
                        found.weights.append(Asked(text=what, where=f"{path}:{number}", url=how))
