"""What a stack accepts: findings that it goes on in spite of, each with its reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from builder.check.model import Finding
from builder.spec.model import Stack

NAME = "accept"
SOURCE = "the stack's own `accept`"

# Errors of these stay errors, whatever a stack says: terms are not ours to waive, and a name has no other meaning.
FIRM = frozenset({"unbakeable_weights", "smoke_names"})


def settle(findings: Iterable[Finding], stack: Stack, rules: Sequence[str], *, whole: bool) -> list[Finding]:
    """The findings, those that the stack accepts marked so, and a warning for each `accept` that names none.

    rules: the names of the rules that were asked. whole: whether all that they can see was there (a lock); otherwise
    an `accept` of one of them may yet find its finding.
    """
    settled: list[Finding] = []
    used: set[str] = set()
    for one in findings:
        key = next((key for key in (one.key, one.rule) if key in stack.accept), None)
        if key is None:
            settled.append(one)
        elif one.rule in FIRM and one.level == "error":
            used.add(key)
            settled.append(replace(one, fix=f"{one.fix}; `accept` has no say here"))
        else:
            used.add(key)
            settled.append(replace(one, level="accepted", accepted=stack.accept[key]))
    return [*settled, *_idle(stack, used, rules, whole=whole)]


def _idle(stack: Stack, used: set[str], rules: Sequence[str], *, whole: bool) -> Iterator[Finding]:
    mounted = {weight.filename for weight in stack.mounted}  # at this site alone, it may be
    for key in stack.accept:
        rule, _, about = key.partition("/")
        if key in used or about in mounted or (rule in rules and not whole) or rule.startswith("host_"):
            continue  # findings of a machine are looked for on demand alone
        close = [] if rule in rules else difflib.get_close_matches(rule, rules, n=1)
        yield Finding(
            rule=NAME,
            level="warning",
            problem=f"`accept` names {key}, and nothing of that name is found",
            cause="a reason that covers nothing hides what is found later",
            fix=f"did you mean {close[0]}?" if close else f"take {key} out of `accept`",
            source=SOURCE,
            about=key,
        )
