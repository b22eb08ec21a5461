"""Reads instruments, and sets what the desk keeps of them: leverage, marginability, house rate."""

from decimal import Decimal
from typing import Any, Final

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller
from app.core.errors import NotFoundError
from app.core.preconditions import Check, anything
from app.core.symbols import normalise_symbol
from app.instruments.leverage_names import leverage_of
from app.models import Instrument

#: Instruments that are read at a time where names are looked through.
_PAGE: Final = 1000
#: Any size above 1 will do where only the question is asked.
_UNKNOWN: Final = Decimal(3)


async def list_instruments(*, after: str | None, limit: int) -> list[Instrument]:
    """Return instruments by symbol, behind `after`."""
    return await Instrument.filter(symbol__gt=after or "").order_by("symbol").limit(limit)


async def leveraged_by_name(*, after: str | None, limit: int) -> list[Instrument]:
    """Return instruments whose name says a leverage that nobody has set, by symbol, behind `after`."""
    found: list[Instrument] = []
    while len(found) < limit:
        query = Instrument.filter(symbol__gt=after or "", quote_type="ETF", leverage=1).order_by("symbol")
        page = await query.limit(_PAGE)
        found += [one for one in page if leverage_of(one.name, one.quote_type, unknown=_UNKNOWN).size > 1]
        if len(page) < _PAGE:
            break
        after = page[-1].symbol
    return found[:limit]


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
