"""What is known of the packages of one stack, held against what the stack accepts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builder.audit.model import Answer, Audited, Package, Unasked, Unknown, Vulnerable, merged
from builder.audit.packages import packages
from builder.lock.model import StackLock
from builder.spec.model import Stack


def everything(locks: Iterable[StackLock]) -> list[Package]:
    """The packages of all locks, each once."""
    return sorted({package for lock in locks for package in packages(lock)})


def audit(stack: Stack, lock: StackLock, answers: Mapping[Package, Answer]) -> Audited:
    """What the answers say of a stack's packages."""
    own = packages(lock)
    found = Audited(stack=stack.name, lock=lock.digest, packages=len(own))
    reasons = {key.casefold(): reason for key, reason in stack.accept_advisories.items()}
    used = set()
    for package, use in own.items():
        match answers[package]:
            case Unknown():
                found.unknown.append(package)
            case Unasked(why):
                found.unasked[package] = why
            case advisories:
                for one in merged(advisories):
                    keys = [key for name in one.ids if (key := name.casefold()) in reasons]
                    used.update(keys)
                    reason = reasons[keys[0]] if keys else ""
                    found.vulnerable.append(Vulnerable(package=package, use=use, advisory=one, accepted=reason))
    if not found.unasked:  # else what is accepted may be of a package that nobody was asked about
        found.idle = [key for key in stack.accept_advisories if key.casefold() not in used]
    return found
