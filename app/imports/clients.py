"""Importing clients with their loans and own rates; also of loans and rates alone, for clients that exist."""

from collections.abc import Collection
from typing import Final

from app.imports.steps import LOCK_CLIENTS, Check, Steps, unique

_EXISTS: Final = Check(
    """
    delete from import_row r where not exists (select from margin m where m.client_id = r.id)
    returning line, id::text as value, null as about
    """,
    "id",
    "No client {value}, and without a name none can be made.",
)
_EXISTING: Final = """
delete from import_row r using client c join margin m on m.client_id = c.id where c.id = r.id
"""
_COUNTS: Final = """
select count(*) filter (where m.id is null) as created, count(m.id) as updated
from import_row r left join margin m on m.client_id = r.id
"""
#: An id is taken from the sequence under the lock of the table, so none is on its way that a file could have, too.
_LOCK_TABLE: Final = "lock table client in share row exclusive mode"
_UPDATE_NAME: Final = "update client c set name = r.name from import_row r where c.id = r.id and c.name <> r.name"
_UPDATE_OWED: Final = "update margin m set {values}, timestamp = now() from import_row r where m.client_id = r.id"
#: Ids that follow are larger than those of the file.
_MOVE_SEQUENCE: Final = """
select setval(sequence, largest)
from (select max(id) as largest from import_row) r, pg_get_serial_sequence('client', 'id') sequence
where largest > coalesce(pg_sequence_last_value(sequence::regclass), 0)
"""
_GIVE_IDS: Final = "update import_row set id = nextval(pg_get_serial_sequence('client', 'id')) where id is null"
_CREATE_CLIENT: Final = """
insert into client (id, name, created_at)
select id, name, now() from import_row order by line
"""
_CREATE_MARGIN: Final = """
insert into margin (client_id, loan, margin_requirement, timestamp)
select id, coalesce(loan, 0), margin_requirement, now() from import_row order by line
"""


def steps(columns: Collection[str]) -> Steps:
    """Return what an import of clients does; a row without an id, or with a new one, makes a client."""
    has_name = "name" in columns
    owed = [name for name in ("loan", "margin_requirement") if name in columns]
    same = ["r.name = c.name"] if has_name else []
    same += [f"r.{name} is not distinct from m.{name}" for name in owed]
    update = [_UPDATE_NAME] if has_name else []
    if owed:
        update.append(_UPDATE_OWED.format(values=", ".join(f"{name} = r.{name}" for name in owed)))
    return Steps(
        lock=[LOCK_CLIENTS.format(id="id"), _LOCK_TABLE],
        checks=[*([] if has_name else [_EXISTS]), unique("id", column="id")],
        keep={"keep": _EXISTING, "update": " and ".join([_EXISTING, *same])},
        count=_COUNTS,
        identify=[_MOVE_SEQUENCE, _GIVE_IDS],
        update=update,
        create=[_CREATE_CLIENT, _CREATE_MARGIN],
        touched="select distinct id as touched from import_row",
        tables=["client", "margin"],
    )
