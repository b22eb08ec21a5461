"""What is held: every symbol that some client holds, and the exchanges on which they are listed."""

from typing import Final

from app.database import sql
from app.stocks.types import SourceExchange

#: Every held symbol, as `held`, found by stepping through the index: costs what symbols do, not what positions do.
HELD: Final = """
with recursive stepped as (
    select min(symbol) as symbol from position
    union all
    select (select min(p.symbol) from position p where p.symbol > s.symbol) from stepped s where s.symbol is not null
), held as (select symbol from stepped where symbol is not null)
"""
_HELD_SYMBOLS: Final = HELD + "select symbol from held"  # noqa: S608 - a fragment of ours, no input
_HELD_EXCHANGES: Final = f"""
{HELD}
select distinct source, exchange from market_data where symbol in (select symbol from held)
"""  # noqa: S608 - likewise


async def held_symbols() -> list[str]:
    """Return every symbol that some client holds, in order."""
    return [row["symbol"] for row in await sql.rows(_HELD_SYMBOLS)]


async def held_exchanges() -> set[SourceExchange]:
    """Return the exchanges on which held symbols are listed, each by the code of the source that priced the symbol."""
    return {SourceExchange(row["source"], row["exchange"]) for row in await sql.rows(_HELD_EXCHANGES)}
