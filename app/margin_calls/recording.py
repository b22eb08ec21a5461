"""Recording transitions and states: the rows, the audit chain and the stream, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change
from app.book.ranking import State
from app.events import outbox
from app.events.outbox import NewEvent
from app.margin_calls import store
from app.margin_calls.types import Call, Transition


async def record(steps: Sequence[Transition], *, further: Sequence[NewEvent] = ()) -> list[Transition]:
    """
    Write transitions, in their order, and return them with the ids of new calls; call last in the transaction.

    All of them have one actor. `further` events are published before theirs.
    """
    steps = await store.write(steps)
    if steps:
        await recorder.record(*map(_change, steps), actor=steps[0].actor)
    await outbox.publish_all([*further, *map(_event, steps)])
    return steps


async def move_states(states: Mapping[int, State], *, now: datetime) -> list[NewEvent]:
    """
    Store the states of some clients, and return the events of those that moved; unknown clients are left out.

    Call in the transaction that publishes the events.
    """
    moved = await store.move_states(states, now=now) if states else []
    return [_state_event(row) for row in moved]


async def publish_states(states: Mapping[int, State], *, now: datetime) -> None:
    """Store the states of some clients and publish those that moved, in one transaction."""
    async with in_transaction():
        await outbox.publish_all(await move_states(states, now=now))


def _state_event(row: Mapping[str, Any]) -> NewEvent:
    data = {"state": row["state"], "from_state": row["from_state"]}
    return NewEvent(kind="state", client_id=row["client_id"], data=data)


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
        "amount": float(call.amount),
        "outstanding": float(call.outstanding),
        "opened_at": _time(call.opened_at),
        "due_at": _time(call.due_at),
        "closed_at": None if call.closed_at is None else _time(call.closed_at),
        "manner": call.manner,
        "restriction": call.restriction,
        "policy": {"id": call.policy_id, "version": call.policy_version},
        "price_basis": call.price_basis,
        "unconfirmed_reasons": call.unconfirmed_reasons,
        "doubt": call.doubt,
        "actor": step.actor,
    }
    return NewEvent(kind="margin_call", client_id=call.client_id, data=data)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
