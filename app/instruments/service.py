"""Reads instruments, and sets what the desk keeps of them: leverage, marginability, house rate."""

from decimal import Decimal
from typing import Any

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller
from app.core.errors import NotFoundError
from app.core.preconditions import Check, anything
from app.core.symbols import normalise_symbol
from app.models import Instrument


async def list_instruments(*, after: str | None, limit: int) -> list[Instrument]:
    """Return instruments by symbol, behind `after`."""
    return await Instrument.filter(symbol__gt=after or "").order_by("symbol").limit(limit)


async def get_instrument(symbol: str) -> Instrument:
    """
    Return one instrument.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: nothing is known of it.
    """
    symbol = normalise_symbol(symbol)
    instrument = await Instrument.get_or_none(symbol=symbol)
    if instrument is None:
        raise NotFoundError(f"Nothing is known of {symbol}.")
    return instrument


async def put_instrument(
    symbol: str,
    *,
    leverage: Decimal,
    marginable: bool,
    house_rate: Decimal | None,
    caller: Caller,
    check: Check[Instrument] = anything,
) -> tuple[Instrument, bool]:
    """
    Set what the desk keeps of an instrument; return it, and whether it is new.

    Raises:
        InvalidInputError: `symbol` is none.
        PreconditionError: what is known of it is not what `check` expects.
    """
    symbol = normalise_symbol(symbol)
    kept = {"leverage": leverage, "marginable": marginable, "house_rate": house_rate}
    async with in_transaction():
        instrument, created = await Instrument.get_or_create(kept, symbol=symbol)
        before = None
        if created:
            check(None)
        else:
            instrument = await Instrument.select_for_update().get(symbol=symbol)
            check(instrument)
            before = _audited(instrument)
            await instrument.update_from_dict(kept).save(update_fields=[*kept, "updated_at"])
        change = Change(
            action="create" if created else "update", entity="instrument", entity_id=symbol, before=before, after=kept
        )
        await recorder.record(change, actor=caller.username, touches=Touches(symbols=[symbol]))
    return instrument, created


def _audited(instrument: Instrument) -> dict[str, Any]:
    """Return what an auditor sees of an instrument: what the desk keeps."""
    return {
        "leverage": instrument.leverage,
        "marginable": instrument.marginable,
        "house_rate": instrument.house_rate,
    }
