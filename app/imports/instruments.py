"""Importing what the desk keeps of instruments."""

from collections.abc import Collection
from typing import Final

from app.imports.steps import Steps, unique

_LOCK: Final = """
select count(*) from (
    select i.id from instrument i where i.symbol in (select symbol from import_row) order by i.symbol for update
) locked
"""
_EXISTING: Final = "delete from import_row r using instrument i where i.symbol = r.symbol"
_COUNTS: Final = """
select count(*) filter (where i.id is null) as created, count(i.id) as updated
from import_row r left join instrument i on i.symbol = r.symbol
"""
_UPDATE: Final = "update instrument i set {values}, updated_at = now() from import_row r where i.symbol = r.symbol"
#: What a file does not say of a new one is as `PUT /instruments/{symbol}` has it. Prices may make some meanwhile, in
#: this order too, so that neither waits for a row of the other's that waits for one of its own.
_CREATE: Final = """
insert into instrument (symbol, name, currency, quote_type, leverage, marginable, house_rate, updated_at)
select symbol, name, currency, quote_type, coalesce(leverage, 1), coalesce(marginable, true), house_rate, now()
from import_row order by symbol
on conflict (symbol) do
"""


def steps(columns: Collection[str]) -> Steps:
    """Return what an import of instruments does."""
    given = [name for name in columns if name != "symbol"]
    same = [f"i.{name} is not distinct from r.{name}" for name in given]
    conflict = "update set " + ", ".join(f"{name} = excluded.{name}" for name in given) if given else "nothing"
    return Steps(
        lock=[_LOCK],
        checks=[unique("symbol", column="symbol")],
        keep={"keep": _EXISTING, "update": " and ".join([_EXISTING, *same])},
        count=_COUNTS,
        update=[_UPDATE.format(values=", ".join(f"{name} = r.{name}" for name in given))] if given else [],
        create=[f"{_CREATE} {conflict}"],
        touched="select symbol as touched from import_row",
        tables=["instrument"],
    )
