"""
Computes the hash of an audit entry, and finds the first fault in a chain of them.

An entry's hash is the SHA-256 of the UTF-8 text of this JSON array, without blanks, its objects' keys in order::

    [previous_hash, id, at, actor, action, entity, entity_id, client_id, before, after, request_id]

`at` is UTC with six decimals and `Z`. The first entry has id 1 and as its previous hash 64 zeros.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"

#: Stands where the first entry has no entry before it.
NO_HASH: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Head:
    """An entry by its place in the chain; id 0 = before the first."""

    id: int = 0
    hash: str = NO_HASH


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit entry as it is stored."""

    id: int
    at: datetime
    actor: str
    action: str
    entity: str
    entity_id: str | None
    client_id: int | None
    before: Plain
    after: Plain
    request_id: str | None
    hash: str
    previous_hash: str


def plain(value: object) -> Plain:
    """
    Return a value as JSON that comes back from the database unchanged; decimals as exact strings.

    Raises:
        TypeError: there is no exact form, as for a float.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case Decimal():
            return format(value.normalize() + 0, "f")
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(member) for key, member in value.items()}
        case Iterable():
            return [plain(member) for member in value]
    raise TypeError(f"{type(value).__name__} has no exact form in the audit trail")


def bodies(entries: Iterable[Sequence[object]]) -> list[str]:
    """Return the text of each entry's members from `actor` on; one that leaves everything as it was has none."""
    texts = []
    for members in entries:
        before, after = (plain(member) for member in members[5:7])
        if before is None or before != after:
            texts.append(canonical(plain(members)))
    return texts


def canonical(value: Plain) -> str:
    """Return the one text of a value: keys in order, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Plain]:
    """Return what stands for the rows of a bulk change: their number, and SHA-256 over a canonical line of each."""
    sha, count = hashlib.sha256(), 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last count is the number
        sha.update(canonical(plain(row)).encode() + b"\n")
    return {"rows": count, "sha256": sha.hexdigest()}


def entry_hash(entry: Entry) -> str:
    """Return the hash that the entry should have."""
    at = entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    members: list[Plain] = [entry.previous_hash, entry.id, at, entry.actor, entry.action, entry.entity]
    members += [entry.entity_id, entry.client_id, entry.before, entry.after, entry.request_id]
    return hashlib.sha256(canonical(members).encode()).hexdigest()


def first_fault(entry: Entry, behind: Head) -> tuple[int, str] | None:
    """Return id and reason of the first fault from `behind` to `entry`, the next one stored; None if there is none."""
    expected = behind.id + 1
    if entry.id > expected:
        return expected, f"Entries {expected} to {entry.id - 1} are missing."
    if entry.id < expected:
        return entry.id, f"Entry {entry.id} was inserted before the first."
    if entry.hash != entry_hash(entry):
        return entry.id, f"Entry {entry.id} is not what its hash says: it was changed, moved or inserted."
    if entry.previous_hash != behind.hash:
        return entry.id, f"Entry {entry.id} does not follow entry {behind.id} as it is now: one of them was replaced."
    return None
