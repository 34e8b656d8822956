"""Lines whose words of failure are none: what their writer passes over, tries again, or only quotes."""

from __future__ import annotations

import re

# What is said by a program that goes on, each as it was seen: TensorFlow's second registration of a factory, NCCL's
# search for plugins, sudo in a container without its own name, torch's fall back from one cuDNN engine to another.
_PASSED_OVER = re.compile(
    rb"Unable to register cu(?:DNN|FFT|BLAS) factory|NCCL INFO |sudo: unable to resolve host|Attempt to open cnn_infer"
    rb"|[Ww]ill ignore (?:this )?error|Ignored error while|[Ii]gnoring error|not a big deal|\(ignored\)"
    rb"|Error [\d]{1,3} \(ignored\)|mkdir -p failed for path|without a writable|safely ignore|amdgpu\.ids:"
    rb"|Skipping import of|Processing without|Proceeding without"
)
_TRIED_AGAIN = re.compile(
    rb"Retrying(?: \(Retry\(|\.\.\.| in | request|\b)|[Ww]ill retry|[Rr]etry attempt|Trying again"
)
_SUBJECT = re.compile(
    rb"[ *|/\\]{0,12}(?=[0-9]{0,39}[a-f])[0-9a-f]{7,40} (?:\([^)\n]{1,80}\) )?\S"
)  # of `git log --oneline`


def passed_over(line: bytes, before: bytes) -> bool:
    """Whether a line's words of failure mean nothing. before: the lines before it, for messages of `git log`."""
    if _PASSED_OVER.search(line) or _SUBJECT.match(line):
        return True
    if not line.startswith(b"    "):
        return False
    above = [one for one in before.split(b"\n")[-24:] if one and not one.startswith(b"    ")]
    return bool(above) and above[-1].startswith(b"Date: ")


def tried_again(line: bytes) -> bool:
    """Whether a line says that the work is tried once more."""
    return bool(_TRIED_AGAIN.search(line))
