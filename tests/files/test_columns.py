"""The pattern of a column never accepts what the rules refuse, and says the same of what it takes."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.files.columns import COLUMNS, Column
from app.files.formulas import FORMULA_PATTERN, original

ALL = [column for columns in COLUMNS.values() for column in columns]
#: Texts near the edges of what any column takes.
CELLS = st.one_of(
    st.from_regex(r"-?[0-9]{0,14}(\.[0-9]{0,9})?", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9^.&=' -]{1,34}", fullmatch=True),
    st.text(max_size=210),
)


@pytest.mark.parametrize("column", ALL, ids=lambda column: f"{column.name} {column.sql}")
@given(cell=CELLS)
def test_what_passes_at_a_glance_is_good_and_unchanged(column: Column, cell: str) -> None:
    if not column.plain.fullmatch(cell):
        return

    read = column.read(cell)

    if column.sql.startswith("numeric"):
        assert Decimal(read) == Decimal(cell)
    else:
        assert read == cell
    assert not re.search(r"[\\\t\r\n]", cell)  # COPY would read them


@given(text=st.text(alphabet="'=+-@\t\r\nab", max_size=6))
def test_what_is_made_harmless_comes_back(text: str) -> None:
    harmless = f"'{text}" if re.match(FORMULA_PATTERN, text) else text

    assert not harmless.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert original(harmless) == text
