"""Importing positions, of clients that exist."""

from collections.abc import Collection
from typing import Final

from app.imports.steps import LOCK_CLIENTS, Check, Steps, unique
from app.instruments.kinds import NO_LOAN_VALUE, NOT_HELD, sql_list
from app.positions.service import GROSS_VALUE, GROSS_VALUE_JOINS, GROSS_VALUE_LIMIT

_RESOLVE: Final = """
update import_row r set client_id = c.id
from (
    select name, min(id) as id from client where name in (select client from import_row)
    group by name having count(*) = 1
) c where c.name = r.client
"""
_NAMED: Final = Check(
    "delete from import_row where client_id is null returning line, client as value, null as about",
    "client",
    "is not the name of one client",
)
_EXISTS: Final = Check(
    """
    delete from import_row r where not exists (select from margin m where m.client_id = r.client_id)
    returning line, client_id::text as value, null as about
    """,
    "clientId",
    "No client {value}.",
)
#: As far as the kind is known.
_HELD_KIND: Final = Check(
    f"""
    delete from import_row r using (
        select symbol, coalesce(i.quote_type, d.quote_type) as kind
        from (select distinct symbol from import_row) s
        left join instrument i using (symbol) left join market_data d using (symbol)
    ) k
    where k.symbol = r.symbol
      and (k.kind in ({sql_list(NOT_HELD)}) or (k.kind in ({sql_list(NO_LOAN_VALUE)}) and r.quantity < 0))
    returning r.line, r.symbol as value, lower(k.kind) as about
    """,  # noqa: S608 - words of ours, no input
    "symbol",
    "{value} is of kind {about}, says the price source: it cannot be held, or not short",
)
_UNIQUE: Final = unique("client_id", "symbol", column="symbol")
#: A sum must be what a position, and a JSON number, carries.
_ADDS_UP: Final = Check(
    """
    delete from import_row r
    using (
        select client_id, symbol, sum(quantity) as sum from import_row group by client_id, symbol
        having count(*) > 1
           and (sum(quantity) = 0 or abs(sum(quantity)) >= 1e12
                or length(translate(trim_scale(abs(sum(quantity)))::text, '.', '')) > 15)
    ) t
    where t.client_id = r.client_id and t.symbol = r.symbol
    returning r.line, t.sum::text as value, null as about
    """,
    "quantity",
    "adds up to {value} with the other rows of this symbol",
)
#: The first row of a position becomes all of it, as trades would have made it: the cost is that of the side that is
#: left, its average weighted by quantity.
_MERGE: Final = (
    """
    with t as (
        select client_id, symbol, min(line) as first, sum(quantity) as quantity
        from import_row group by client_id, symbol having count(*) > 1
    ), average as (
        select t.first, t.quantity, sum(r.quantity * r.cost_basis) / sum(r.quantity) as cost
        from t join import_row r on r.client_id = t.client_id and r.symbol = t.symbol and r.quantity * t.quantity > 0
        group by t.first, t.quantity
    )
    update import_row r set quantity = a.quantity, cost_basis = round(a.cost, case when a.cost < 1e7 then 8 else 5 end)
    from average a where a.first = r.line
    """,
    """
    delete from import_row r
    using (select client_id, symbol, min(line) as first from import_row group by client_id, symbol) t
    where t.client_id = r.client_id and t.symbol = r.symbol and r.line > t.first
    """,
)
_KEEP: Final = "delete from import_row r using position p where p.client_id = r.client_id and p.symbol = r.symbol"
_COUNTS: Final = """
select count(*) filter (where p.id is null) as created, count(p.id) as updated
from import_row r left join position p on p.client_id = r.client_id and p.symbol = r.symbol
"""
_UPDATE: Final = """
update position p set quantity = r.quantity, cost_basis = r.cost_basis, updated_at = now()
from import_row r where p.client_id = r.client_id and p.symbol = r.symbol
"""
_CREATE: Final = """
insert into position (client_id, symbol, quantity, cost_basis, updated_at)
select client_id, symbol, quantity, cost_basis, now() from import_row
"""
_TOO_LARGE: Final = """
delete from import_row r
using (
    select h.client_id
    from (
        select client_id, symbol, quantity from import_row
        union all
        select p.client_id, p.symbol, p.quantity from position p
        where p.client_id in (select client_id from import_row)
          and not exists (select from import_row r where r.client_id = p.client_id and r.symbol = p.symbol)
    ) h
    {joins}
    group by h.client_id
    having {gross_value} >= {limit}
) large
where large.client_id = r.client_id
returning r.line, r.quantity::text as value, null as about
"""


def steps(columns: Collection[str], *, base_currency: str, adds_up: bool) -> Steps:
    """Return what an import of positions does; with `adds_up`, rows of one position are one."""
    assert base_currency.isalpha(), base_currency
    base = f"'{base_currency}'"
    by_name = "client" in columns
    too_large = Check(
        _TOO_LARGE.format(
            joins=GROSS_VALUE_JOINS.format(held="h", base=base),
            gross_value=GROSS_VALUE.format(held="h", base=base),
            limit=GROSS_VALUE_LIMIT,
        ),
        "quantity",
        f"makes the account too large: its gross value would reach {GROSS_VALUE_LIMIT:,}",
    )
    return Steps(
        resolve=[_RESOLVE] if by_name else [],
        lock=[LOCK_CLIENTS.format(id="client_id")],
        checks=[*([_NAMED] if by_name else []), _EXISTS, _HELD_KIND, _ADDS_UP if adds_up else _UNIQUE],
        merge=_MERGE if adds_up else (),
        keep={"keep": _KEEP, "update": f"{_KEEP} and p.quantity = r.quantity and p.cost_basis = r.cost_basis"},
        last_checks=[too_large],
        count=_COUNTS,
        update=[_UPDATE],
        create=[_CREATE],
        touched="select distinct client_id as touched from import_row",
        tables=["position"],
    )
