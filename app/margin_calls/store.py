"""Writing steps of calls: the row, its history, the audit chain and the stream, in one transaction."""

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
from app.events import outbox
from app.events.outbox import NewEvent
from app.margin.account import Account
from app.margin.explain import explain_account
from app.margin_calls import client_states
from app.margin_calls.types import Call, CallEvidence, CallSettings, Transition
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


async def record(steps: Sequence[Transition], *, further: Sequence[NewEvent] = ()) -> list[Transition]:
    """
    Write steps, in their order, and return them with the ids of new calls; call last in the transaction.

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
    await outbox.publish_all([*further, *map(_event, steps)])
    return steps


async def _write(statement: str, steps: Sequence[Transition]) -> list[dict[str, Any]]:
    if not steps:
        return []
    rows = [(step.after.id, _encoded(step), *(getattr(step.after, name) for name in _COLUMNS)) for step in steps]
    columns = [list(column) for column in zip(*rows, strict=True)]
    written: list[dict[str, Any]] = await sql.rows(statement, *columns)
    return written


def _encoded(step: Transition) -> str | None:
    return None if step.snapshot is None else json.dumps(step.snapshot)


def _identified(step: Transition, ids: dict[tuple[int, CallType], int]) -> Transition:
    call = step.after
    return step if call.id else replace(step, after=replace(call, id=ids[call.client_id, call.type]))


def _history_row(step: Transition) -> tuple[object, ...]:
    call, before = step.after, step.before
    from_state = None if before is None else before.state.value
    return call.id, call.client_id, step.at, from_state, call.state.value, step.actor, call.outstanding, step.note


def _change(step: Transition) -> Change:
    after = _audited(step.after) | ({"note": step.note} if step.note else {})
    return Change(
        action=step.action,
        entity="margin_call",
        entity_id=step.after.id,
        client_id=step.after.client_id,
        before=None if step.before is None else _audited(step.before),
        after=after,
    )


def _audited(call: Call) -> dict[str, Any]:
    """Return what an auditor sees of a call."""
    shown = ("type", "state", "amount", "outstanding", "due_at", "manner", "restriction", "price_basis", "set_aside")
    return {name: getattr(call, name) for name in shown}


def _event(step: Transition) -> NewEvent:
    """Return the event that tells subscribers: the call as the API shows it, and from where it came."""
    call = step.after
    data = {
        "id": call.id,
        "clientId": call.client_id,
        "type": call.type.value,
        "state": call.state.value,
        "from_state": None if step.before is None else step.before.state.value,
        "amount": _number(call.amount),
        "outstanding": _number(call.outstanding),
        "opened_at": _time(call.opened_at),
        "due_at": _time(call.due_at),
        "closed_at": None if call.closed_at is None else _time(call.closed_at),
        "manner": call.manner,
        "restriction": call.restriction,
        "policy": {"id": call.policy_id, "version": call.policy_version},
        "price_basis": call.price_basis,
        "actor": step.actor,
    }
    return NewEvent(kind="margin_call", client_id=call.client_id, data=data)


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
class MonitorState:
    """States of clients that are not simply ok, cents of open calls, and clients to review at every change."""

    states: dict[int, State]
    outstanding: dict[tuple[int, CallType], int]
    watched: set[int]


async def load_monitor_state() -> MonitorState:
    """Return what the monitor last stored."""
    rows = await sql.rows(_OPEN)
    return MonitorState(
        states=await client_states.published(),
        outstanding={(row["client_id"], CallType(row["type"])): row["cents"] for row in rows if row["cents"]},
        watched={row["client_id"] for row in rows if row["is_watched"]},
    )


_CALL_COLUMNS: Final = ", ".join(f"m.{field.name}" for field in fields(Call))
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


async def latest_calls(client_ids: Sequence[int]) -> dict[tuple[int, CallType], Call]:
    """Return the last call of each client and type, which alone may be open."""
    rows = await sql.rows(_LATEST, list(client_ids))
    return {(call.client_id, call.type): call for call in map(Call.of, rows)}


async def find_call(call_id: int) -> Call | None:
    """Return one call; None where there is none."""
    row = await sql.first(_ONE, call_id)
    return Call.of(row) if row else None


async def last_audit_id() -> int:
    """Return the id of the last audit entry, 0 before the first; what a locked client does comes behind it."""
    rows = await sql.rows("select coalesce(max(id), 0) as id from audit_entry")
    return int(rows[0]["id"])


async def evidence(account: Account, *, settings: CallSettings) -> CallEvidence:
    """
    Explain an account whose client is locked.

    Raises:
        MissingPricesError, ConflictError: it has no figures.
    """
    return CallEvidence(await explain_account(account, settings=settings.margin), audit_id=await last_audit_id())
