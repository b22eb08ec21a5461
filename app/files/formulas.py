"""Cells that a spreadsheet would run as formulas: harmless on their way out, what they were on their way in."""

import re
from typing import Final

#: A cell that begins so is a formula to a spreadsheet (OWASP, CSV injection); for PostgreSQL and Python alike.
FORMULA_PATTERN: Final = r"^'*[-=+@\t\r\n]"

_HARMLESS: Final = re.compile(r"'+[-=+@\t\r\n]")


def original(cell: str) -> str:
    """
    Return the text of a CSV cell that may have been made harmless.

    An apostrophe in front of a formula, or of apostrophes before one, is ours; every other cell is as it was.
    """
    return cell[1:] if _HARMLESS.match(cell) else cell
