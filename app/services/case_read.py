"""Reading cases of some clients, and what a decision about them stands on."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from tortoise import connections

from app.models import CallType
from app.services.account import Account
from app.services.case import CallTerms, Case, Evidence
from app.services.explain import explain_account

_COLUMNS: Final = ", ".join(f"m.{field.name}" for field in fields(Case))
_LATEST: Final = f"""
select {_COLUMNS} from margin_call m
where m.id in (select max(id) from margin_call where client_id = any($1::bigint[]) group by client_id, type)
"""  # noqa: S608 - column names of ours, no input
_ONE: Final = f"select {_COLUMNS} from margin_call m where m.id = $1"  # noqa: S608 - likewise
_LOCK: Final = "select client_id from margin where client_id = any($1::bigint[]) order by client_id for update"


async def lock_clients(client_ids: Sequence[int]) -> list[int]:
    """Lock clients, always in the same order, until the transaction ends; return those that exist."""
    rows = await connections.get("default").execute_query_dict(_LOCK, [list(client_ids)])
    return [row["client_id"] for row in rows]


async def latest_cases(client_ids: Sequence[int]) -> dict[tuple[int, CallType], Case]:
    """Return the last case of each client and type, which alone may be open."""
    rows = await connections.get("default").execute_query_dict(_LATEST, [list(client_ids)])
    return {(case.client_id, case.type): case for case in map(Case.of, rows)}


async def find_case(case_id: int) -> Case | None:
    """Return one case; None where there is none."""
    rows = await connections.get("default").execute_query_dict(_ONE, [case_id])
    return Case.of(rows[0]) if rows else None


async def last_audit_id() -> int:
    """Return the id of the last audit entry, 0 before the first; what a locked client does comes behind it."""
    rows = await connections.get("default").execute_query_dict("select coalesce(max(id), 0) as id from audit_entry")
    return int(rows[0]["id"])


async def evidence(account: Account, *, terms: CallTerms) -> Evidence:
    """
    Explain an account whose client is locked.

    Raises:
        MissingPricesError, ConflictError: it has no figures.
    """
    return Evidence(await explain_account(account, terms=terms.terms), audit_id=await last_audit_id())
