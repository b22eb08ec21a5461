"""Writing steps of cases: the row, its history, the audit chain and the stream, in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from app.audit import recorder
from app.audit.recorder import Change
from app.book.ranking import State
from app.database import sql
from app.events import outbox as events
from app.events.outbox import NewEvent
from app.margin.account import Account
from app.margin.explain import explain_account
from app.margin_calls import client_states
from app.margin_calls.types import CallTerms, Case, Evidence, Step
from app.models import CallType

_COLUMNS: Final = {
    "client_id": "bigint",
    "type": "text",
    "state": "text",
    "amount": "numeric",
    "outstanding": "numeric",
    "opened_at": "timestamptz",
    "due_at": "timestamptz",
    "closed_at": "timestamptz",
    "manner": "text",
    "restriction": "text",
    "policy_id": "text",
    "policy_version": "text",
    "price_basis": "text",
    "audit_id": "bigint",
    "set_aside": "numeric",
}
_NAMES: Final = ", ".join(_COLUMNS)
_ARRAYS: Final = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), start=3))
_SETS: Final = ", ".join(f"{name} = q.{name}" for name in _COLUMNS if name not in {"client_id", "type", "opened_at"})
#: $1 ids (not used), $2 snapshots, then the columns.
_INSERT: Final = f"""
insert into margin_call ({_NAMES}, snapshot, updated_at)
select {_NAMES}, snapshot, now() from unnest($1::bigint[], $2::jsonb[], {_ARRAYS}) as q(id, snapshot, {_NAMES})
returning id, client_id, type
"""  # noqa: S608 - column names of ours, no input
#: A snapshot of null leaves the one that is there.
_UPDATE: Final = f"""
update margin_call m set {_SETS}, snapshot = coalesce(q.snapshot, m.snapshot), updated_at = now()
from unnest($1::bigint[], $2::jsonb[], {_ARRAYS}) as q(id, snapshot, {_NAMES})
where m.id = q.id
"""  # noqa: S608 - likewise
_HISTORY: Final = """
insert into margin_call_event (call_id, client_id, at, from_state, to_state, actor, amount, note)
select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::numeric[],
                     $8::text[])
"""


async def record(steps: Sequence[Step], *, further: Sequence[NewEvent] = ()) -> list[Step]:
    """
    Write steps, in their order, and return them with the ids of new cases; call last in the transaction.

    All of them have one actor. `further` events are published before those of the steps.
    """
    await _write(_UPDATE, [step for step in steps if step.after.id])
    new = await _write(_INSERT, [step for step in steps if not step.after.id])
    ids = {(row["client_id"], CallType(row["type"])): row["id"] for row in new}
    steps = [_identified(step, ids) for step in steps]
    if steps:
        rows = [_history_row(step) for step in steps]
        await sql.run(_HISTORY, *[list(column) for column in zip(*rows, strict=True)])
        await recorder.record(*map(_change, steps), actor=steps[0].actor)
    await events.publish_all([*further, *map(_event, steps)])
    return steps


async def _write(statement: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
    if not steps:
        return []
    rows = [(step.after.id, _encoded(step), *(getattr(step.after, name) for name in _COLUMNS)) for step in steps]
    columns = [list(column) for column in zip(*rows, strict=True)]
    written: list[dict[str, Any]] = await sql.rows(statement, *columns)
    return written


def _encoded(step: Step) -> str | None:
    return None if step.snapshot is None else json.dumps(step.snapshot)


def _identified(step: Step, ids: dict[tuple[int, CallType], int]) -> Step:
    case = step.after
    return step if case.id else replace(step, after=replace(case, id=ids[case.client_id, case.type]))


def _history_row(step: Step) -> tuple[object, ...]:
    case, before = step.after, step.before
    from_state = None if before is None else before.state.value
    return case.id, case.client_id, step.at, from_state, case.state.value, step.actor, case.outstanding, step.note


def _change(step: Step) -> Change:
    after = _audited(step.after) | ({"note": step.note} if step.note else {})
    return Change(
        action=step.action,
        entity="margin_call",
        entity_id=step.after.id,
        client_id=step.after.client_id,
        before=None if step.before is None else _audited(step.before),
        after=after,
    )


def _audited(case: Case) -> dict[str, Any]:
    """Return what an auditor sees of a case."""
    shown = ("type", "state", "amount", "outstanding", "due_at", "manner", "restriction", "price_basis", "set_aside")
    return {name: getattr(case, name) for name in shown}


def _event(step: Step) -> NewEvent:
    """Return the event that tells subscribers: the case as the API shows it, and from where it came."""
    case = step.after
    data = {
        "id": case.id,
        "clientId": case.client_id,
        "type": case.type.value,
        "state": case.state.value,
        "from_state": None if step.before is None else step.before.state.value,
        "amount": _number(case.amount),
        "outstanding": _number(case.outstanding),
        "opened_at": _time(case.opened_at),
        "due_at": _time(case.due_at),
        "closed_at": None if case.closed_at is None else _time(case.closed_at),
        "manner": case.manner,
        "restriction": case.restriction,
        "policy": {"id": case.policy_id, "version": case.policy_version},
        "price_basis": case.price_basis,
        "actor": step.actor,
    }
    return NewEvent(kind="margin_call", client_id=case.client_id, data=data)


def _number(amount: Decimal) -> float:
    return float(amount)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_OPEN: Final = """
select client_id, type, (outstanding * 100)::bigint as cents, state = 'unconfirmed' as is_watched
from margin_call where closed_at is null
union all
select client_id, type, 0, true from margin_call m
where set_aside is not null and id = (select max(id) from margin_call where client_id = m.client_id and type = m.type)
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """States of clients that are not simply ok, cents of open cases, and clients to look at at every change."""

    states: dict[int, State]
    outstanding: dict[tuple[int, CallType], int]
    watched: set[int]


async def stored() -> Stored:
    """Return what the monitor before left behind."""
    rows = await sql.rows(_OPEN)
    return Stored(
        states=await client_states.published(),
        outstanding={(row["client_id"], CallType(row["type"])): row["cents"] for row in rows if row["cents"]},
        watched={row["client_id"] for row in rows if row["is_watched"]},
    )


_CALL_COLUMNS: Final = ", ".join(f"m.{field.name}" for field in fields(Case))
_LATEST: Final = f"""
select {_CALL_COLUMNS} from margin_call m
where m.id in (select max(id) from margin_call where client_id = any($1::bigint[]) group by client_id, type)
"""  # noqa: S608 - column names of ours, no input
_ONE: Final = f"select {_CALL_COLUMNS} from margin_call m where m.id = $1"  # noqa: S608 - likewise
_LOCK: Final = "select client_id from margin where client_id = any($1::bigint[]) order by client_id for update"


async def lock_clients(client_ids: Sequence[int]) -> list[int]:
    """Lock clients, always in the same order, until the transaction ends; return those that exist."""
    rows = await sql.rows(_LOCK, list(client_ids))
    return [row["client_id"] for row in rows]


async def latest_cases(client_ids: Sequence[int]) -> dict[tuple[int, CallType], Case]:
    """Return the last case of each client and type, which alone may be open."""
    rows = await sql.rows(_LATEST, list(client_ids))
    return {(case.client_id, case.type): case for case in map(Case.of, rows)}


async def find_case(case_id: int) -> Case | None:
    """Return one case; None where there is none."""
    row = await sql.first(_ONE, case_id)
    return Case.of(row) if row else None


async def last_audit_id() -> int:
    """Return the id of the last audit entry, 0 before the first; what a locked client does comes behind it."""
    rows = await sql.rows("select coalesce(max(id), 0) as id from audit_entry")
    return int(rows[0]["id"])


async def evidence(account: Account, *, terms: CallTerms) -> Evidence:
    """
    Explain an account whose client is locked.

    Raises:
        MissingPricesError, ConflictError: it has no figures.
    """
    return Evidence(await explain_account(account, terms=terms.terms), audit_id=await last_audit_id())
