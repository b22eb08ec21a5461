"""
A large book for benchmarks: rows made by PostgreSQL itself, indexes and foreign keys afterwards.

Each client holds `each` of the symbols `S0`, `S1` and so on; every fifth holds `S0`, the most held one. Prices lie
between 5 and 405, quantities between 1 and 500, loans below 20,000, so that few clients are short of margin.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

from app.database.connections import Database, migrate
from app.database.embedded import start_embedded

#: What makes filling slow: dropped before, and made again afterwards as the schema has it.
_KEYS: Final = """
select conname as name, pg_get_constraintdef(oid) as definition
from pg_constraint
where conrelid = 'position'::regclass and contype in ('f', 'u', 'p')
"""
_INDEXES: Final = """
select indexname as name, indexdef as definition from pg_indexes
where tablename = 'position' and indexname not in (select conname from pg_constraint where contype in ('u', 'p'))
"""
_ROWS: Final = """
insert into client (id, name, created_at) select i, 'Client ' || i, now() from generate_series(1, {clients}) i;
insert into margin (client_id, loan, "timestamp")
select i, (i * 37::bigint) % 20000, now() from generate_series(1, {clients}) i;
insert into market_data (symbol, current_price, currency, "timestamp", fetched_at, source, exchange)
select 'S' || i, 5 + (i * 13 % 40000) / 100.0, 'USD', now(), now(), 'yahoo', 'CCC'
from generate_series(0, {symbols} - 1) i;
insert into position (client_id, symbol, quantity, cost_basis, updated_at)
select i,
    case when j = 1 and i % 5 = 0 then 'S0' else 'S' || (1 + (i * 7919::bigint + j * 31) % ({symbols} - 1)) end,
    1 + (i::bigint * j) % 500, 10, now()
from generate_series(1, {clients}) i, generate_series(1, {each}) j;
"""
_NEXT_IDS: Final = "select setval(pg_get_serial_sequence('client', 'id'), {clients})"


def filled(folder: Path, *, clients: int, symbols: int, each: int) -> None:
    """
    Leave an embedded PostgreSQL with the book in a folder, and say how long that took.

    It is shut down then, which is a checkpoint: what it still had to write would be in the way of what is measured.
    """
    started = time.perf_counter()
    with start_embedded(folder) as server:
        asyncio.run(_fill(Database(url=server.url, statement_timeout_seconds=0), clients, symbols, each))
    seconds = time.perf_counter() - started
    print(f"{clients:,} clients, {clients * each:,} positions, {symbols:,} symbols; filled in {seconds:.0f} s")


async def _fill(database: Database, clients: int, symbols: int, each: int) -> None:
    await migrate(database)
    connection = await database.connect()
    keys = await connection.fetch(_KEYS)
    indexes = await connection.fetch(_INDEXES)
    for key in keys:
        await connection.execute(f"alter table position drop constraint {key['name']}")
    for index in indexes:
        await connection.execute(f"drop index {index['name']}")
    await connection.execute("set synchronous_commit = off; set maintenance_work_mem = '512MB'")
    await connection.execute(_ROWS.format(clients=clients, symbols=symbols, each=each))
    for key in keys:
        await connection.execute(f"alter table position add constraint {key['name']} {key['definition']}")
    for index in indexes:
        await connection.execute(index["definition"])
    await connection.execute(_NEXT_IDS.format(clients=clients))
    await connection.execute("vacuum analyze")
    await connection.close()
