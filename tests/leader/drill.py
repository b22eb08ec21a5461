"""A replay whose calls are known beforehand: a price that falls for twenty days and rises for twenty."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from app.audit import service as audit
from app.margin_calls.business_days import day_of
from app.models import AuditEntry, Event, MarginCall, MarginCallEvent
from tests.leader.leading import Account

DAYS: Final = [date(2020, 2, 3) + timedelta(days=day) for day in range(41)]
#: Falls by 1 a day, and rises again from the twentieth on.
_CLOSES: Final = [Decimal(100 - min(day, 40 - day)) for day in range(41)]


def write_closes(file: Path) -> Path:
    """Write the forty-one days to replay."""
    lines = [f"{day},{close}\n" for day, close in zip(DAYS, _CLOSES, strict=True)]
    file.write_text("Date,AAPL\n" + "".join(lines))
    return file


def accounts() -> list[Account]:
    """Return clients who hold 100 and fall short below 99.5, 98.5 and so on, to 81.5."""
    held = {"AAPL": Decimal(100)}
    return [Account(Decimal(75) * (Decimal(99 - step) + Decimal("0.5")), held) for step in range(19)]


async def check_nothing_is_lost_or_doubled(ids: list[int]) -> None:
    """Every client was called on the day on which it fell short and met it on the day on which it did not."""
    opened = {event.client_id: day_of(event.at) for event in await MarginCallEvent.filter(to_state="open")}
    met = {event.client_id: day_of(event.at) for event in await MarginCallEvent.filter(to_state="met")}
    assert await MarginCall.all().count() == len(ids)
    steps = [event.to_state for event in await MarginCallEvent.exclude(to_state="past_due")]
    assert len(steps) == 2 * len(ids)
    assert opened == {id_: DAYS[step + 1] for step, id_ in enumerate(ids)}
    assert met == {id_: DAYS[40 - step] for step, id_ in enumerate(ids)}
    told = [event.data["state"] for event in await Event.filter(kind="margin_call")]
    assert len([state for state in told if state != "past_due"]) == 2 * len(ids)
    assert await AuditEntry.filter(entity="margin_call", action__in=["open", "meet"]).count() == 2 * len(ids)
    assert (await audit.verify(after=None, limit=10_000, known=None)).intact
