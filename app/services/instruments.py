"""What the desk and the price source say of instruments."""

from decimal import Decimal

from tortoise.transactions import in_transaction

from app.errors import NotFoundError
from app.models import Instrument
from app.symbols import normalise_symbol


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
    symbol: str, *, leverage: Decimal, marginable: bool, house_rate: Decimal | None
) -> tuple[Instrument, bool]:
    """
    Set what the desk keeps of an instrument; return it, and whether it is new.

    Raises:
        InvalidInputError: `symbol` is none.
    """
    kept = {"leverage": leverage, "marginable": marginable, "house_rate": house_rate}
    async with in_transaction():
        return await Instrument.update_or_create(kept, symbol=normalise_symbol(symbol))
