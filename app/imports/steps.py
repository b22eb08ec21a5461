"""
What an import does with staged rows, as SQL: sets, never row by row.

Each kind stages its rows in the temporary table `import_row`, whose column `line` is its line in the file. A check
deletes the rows that it finds fault with, so what is left at the end is what is to be stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: Most faults that a report lists.
MOST_FAULTS: Final = 10_000

#: A change of a client's positions or loan holds its margin row; here all of them, in order.
LOCK_CLIENTS: Final = """
select count(*) from (
    select m.client_id from margin m where m.client_id in (select {id} from import_row) order by m.client_id for update
) locked
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the staged rows: `delete` returns line, value and about of those that fail."""

    delete: str
    column: str
    #: May name {value} and {about}.
    message: str

    def query(self) -> str:
        """Return the statement that deletes the rows, counts them and returns the first ones."""
        return f"""
            with gone as ({self.delete}) select line, value, about, count(*) over () as count
            from gone order by line limit {MOST_FAULTS}
        """  # noqa: S608 - SQL of ours, no input


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What is done with the staged rows of one file, in this order; a dry run has no `lock`, and ends with `count`."""

    #: Gives rows the ids by which they are found.
    resolve: Sequence[str] = ()
    lock: Sequence[str]
    checks: Sequence[Check]
    #: Makes one row of those that add up to one record.
    merge: Sequence[str] = ()
    #: Deletes rows whose records exist: for `keep` all of them, for `update` those that would not change.
    keep: Mapping[str, str]
    #: Checks of what the book would become.
    last_checks: Sequence[Check] = ()
    #: Returns how many rows would be `created` and `updated`.
    count: str
    #: Gives new records their ids.
    identify: Sequence[str] = ()
    #: Returns as `touched` what of the book changes: client ids or symbols.
    touched: str
    update: Sequence[str]
    #: Stores the rows whose records do not exist; by then no other is left.
    create: Sequence[str]
    #: What is written to.
    tables: Sequence[str]


def unique(*keys: str, column: str) -> Check:
    """Return the check that no two rows are the same record; the first one is kept."""
    key = ", ".join(keys)
    same = " and ".join(f"r.{key} = t.{key}" for key in keys)
    delete = f"""
        delete from import_row r
        using (select {key}, min(line) as first from import_row group by {key} having count(*) > 1) t
        where {same} and r.line > t.first
        returning r.line, r.{keys[-1]}::text as value, t.first as about
    """  # noqa: S608 - names of ours, no input
    return Check(delete, column, "is in line {about} already")
