"""Whoever changes the trail past the database's refusal, as its owner, is found out, and where."""

import asyncpg
import pytest
from httpx import AsyncClient
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit import service as audit
from app.audit.hash_chain import Head
from app.audit.recorder import Change
from tests.audit.conftest import head, last_id, sql

_COPY = """
insert into audit_entry
select $2, at, actor, action, entity, entity_id, client_id, before, after, request_id, hash, previous_hash
from audit_entry where id = $1
"""


@pytest.fixture
async def first(db: None) -> int:
    """Store ten entries; return the first one's id."""
    start = await last_id()
    for n in range(10):
        await recorder.record(Change(action="create", entity="client", entity_id=n, after={"n": n}), actor="desk")
    return start + 1


@pytest.fixture
async def owner(first: int) -> None:
    """Switch the database's refusal off, as only its owner can."""
    await sql("alter table audit_entry disable trigger append_only")


async def in_savepoint(statement: str) -> None:
    async with in_transaction():
        await sql(statement)


async def check(*, known: Head | None = None, after: int | None = None) -> audit.Verification:
    return await audit.verify(after=after, limit=1_000_000, known=known)


async def test_a_chain_that_nobody_touched_is_intact(first: int) -> None:
    found = await check(known=await head())

    assert (found.intact, found.broken_at, found.reason) == (True, None, None)
    assert (found.entries, found.head) == (first + 9, await head())


@pytest.mark.parametrize("table", ["audit_entry", "margin_call_event"])
@pytest.mark.parametrize("statement", ["update {} set actor = 'nobody'", "delete from {}", "truncate {}"])
async def test_the_database_refuses_to_change_or_delete(first: int, table: str, statement: str) -> None:
    with pytest.raises(OperationalError, match="append-only"):
        await in_savepoint(statement.format(table))

    assert (await check()).intact


async def test_the_refusal_also_holds_in_sessions_that_replicate(db: None) -> None:
    """They skip every other trigger; setting it takes a superuser, which the tests are not."""
    enabled = await sql(
        "select tgrelid::regclass::text as name, tgenabled from pg_trigger where tgname = 'append_only'"
    )

    assert {row["name"]: row["tgenabled"] for row in enabled} == {"audit_entry": b"A", "margin_call_event": b"A"}


@pytest.mark.parametrize(
    "change",
    [
        "after = '{\"n\": 7}'",
        "before = '{}'",
        "actor = 'nobody'",
        "at = at - interval '1 microsecond'",
        "client_id = 1",
        "request_id = 'x'",
        "hash = repeat('a', 64)",
        "previous_hash = repeat('a', 64)",
    ],
)
async def test_a_changed_row_is_found(first: int, owner: None, change: str) -> None:
    await sql(f"update audit_entry set {change} where id = $1", first + 4)  # noqa: S608 - the test's own text

    found = await check()

    assert (found.intact, found.broken_at, found.entries) == (False, first + 4, first + 3)
    assert "changed" in str(found.reason)


async def test_a_changed_row_whose_hash_was_made_anew_does_not_fit_its_neighbour(first: int, owner: None) -> None:
    await sql("create temporary table later on commit drop as select * from audit_entry where id > $1", first + 3)
    await sql("delete from audit_entry where id > $1", first + 3)
    await recorder.record(Change(action="create", entity="client", entity_id=3, after={"n": "forged"}), actor="desk")
    await sql("insert into audit_entry select * from later where id > $1", first + 4)

    found = await check()

    assert (found.broken_at, found.entries) == (first + 5, first + 4)
    assert f"{first + 5} does not follow entry {first + 4}" in str(found.reason)


async def test_a_deleted_row_is_found(first: int, owner: None) -> None:
    await sql("delete from audit_entry where id in ($1, $2)", first + 4, first + 5)

    found = await check()

    assert (found.intact, found.broken_at) == (False, first + 4)
    assert found.reason == f"Entries {first + 4} to {first + 5} are missing."


async def test_a_deleted_row_whose_followers_moved_up_is_found(first: int, owner: None) -> None:
    await sql("delete from audit_entry where id = $1", first + 4)
    for moved in range(first + 5, first + 10):
        await sql("update audit_entry set id = id - 1 where id = $1", moved)

    assert (await check()).broken_at == first + 4


@pytest.mark.parametrize("where", [-5, 0])
async def test_a_row_inserted_before_the_first_is_found(first: int, owner: None, where: int) -> None:
    await sql(_COPY, first, where)

    found = await check()

    assert (found.broken_at, found.entries) == (where, 0)


async def test_a_row_inserted_behind_the_last_is_found(first: int, owner: None) -> None:
    await sql(_COPY, first + 3, first + 10)

    assert (await check()).broken_at == first + 10


async def test_swapped_rows_are_found(first: int, owner: None) -> None:
    for old, new in ((first + 4, -1), (first + 5, first + 4), (-1, first + 5)):
        await sql("update audit_entry set id = $2 where id = $1", old, new)

    assert (await check()).broken_at == first + 4


async def test_a_chain_that_was_cut_off_is_found_by_a_head_that_was_kept(first: int, owner: None) -> None:
    kept = await head()
    await sql("delete from audit_entry where id > $1", first + 6)

    assert (await check()).intact
    found = await check(known=kept)
    assert (found.intact, found.broken_at, found.head) == (False, kept.id, await head())
    assert (await check(after=kept.id)).broken_at == kept.id


async def test_a_chain_written_anew_is_found_by_a_head_that_was_kept(first: int, owner: None) -> None:
    kept = await head()
    await sql("delete from audit_entry where id >= $1", first)
    for n in range(20):
        await recorder.record(Change(action="create", entity="client", entity_id=n, after={"n": -n}), actor="desk")

    assert (await check()).intact
    assert (await check(known=kept)).broken_at == kept.id


async def test_a_check_may_begin_where_the_last_one_ended(first: int, owner: None) -> None:
    await sql("update audit_entry set actor = 'nobody' where id = $1", first + 1)

    rest = await check(after=first + 4)

    assert (rest.intact, rest.entries) == (True, 5)


async def test_admins_see_where_it_breaks(admin: AsyncClient, first: int, owner: None) -> None:
    start = await admin.get("/audit/verification")
    await sql("update audit_entry set actor = 'nobody' where id = $1", first + 4)

    found = await admin.get("/audit/verification", params={"after": first, "limit": 100})

    assert start.json()["intact"]
    assert found.json().keys() == {"entries", "intact", "broken_at", "reason", "head"}
    assert (found.json()["intact"], found.json()["broken_at"]) == (False, first + 4)


async def test_a_long_chain_is_checked_in_parts(admin: AsyncClient, first: int) -> None:
    url: str | None = f"/audit/verification?after={first}&limit=4"
    sizes = []
    while url:
        response = await admin.get(url)
        assert response.json()["intact"]
        sizes.append(response.json()["entries"])
        url = response.links.get("next", {}).get("url")

    assert sizes == [4, 4, 1]


async def test_the_owner_needs_the_trigger_out_of_the_way_also_by_another_connection(
    outside: asyncpg.Connection, first: int
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="audit_entry is append-only"):
        await outside.execute("delete from audit_entry where id = -1")
