"""What a column of a file may hold: the rules of the API, with a pattern that accepts nearly every cell."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from app.clients.schemas import Name
from app.core.errors import InvalidInputError
from app.core.share_symbols import share_symbol
from app.core.symbols import normalise_symbol
from app.instruments.schemas import HouseRate, Leverage
from app.web.fields import CostIn, MoneyIn, QuantityIn, RateIn

#: Ids in files stay below this, so that ids that follow them are exact JSON numbers for ever.
_LARGEST_ID: Final = 10**15 - 1
_MOST_CHARACTERS: Final = 1000
_NUMBER: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": "true", "false": "false"}


class Kind(StrEnum):
    """What the rows of a file are."""

    CLIENTS = "clients"
    POSITIONS = "positions"
    INSTRUMENTS = "instruments"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as we name it."""

    name: str
    #: Its type in the staging table.
    sql: str
    #: A cell that matches is good as it is, and needs no escape in COPY.
    plain: re.Pattern[str]
    #: Returns what any other cell says; raises ValueError with the reason where that is nothing.
    read: Callable[[str], str]
    #: Whether a cell may be empty: then it is null.
    is_nullable: bool = False


def _checked(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - any type that pydantic knows
    """Return a check by the rules of the API."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(value: object) -> object:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error

    return check


def _number(kind: Any) -> Callable[[str], str]:  # noqa: ANN401 - likewise
    """Return what reads an exact number of a kind."""
    check = _checked(kind)

    def read(cell: str) -> str:
        cell = cell.strip()
        if not _NUMBER.fullmatch(cell):
            raise ValueError("must be a number")
        return format(check(Decimal(cell)), "f")

    return read


def _text(kind: Any) -> Callable[[str], str]:  # noqa: ANN401 - likewise
    """Return what reads a text of a kind."""
    check = _checked(kind)

    def read(cell: str) -> str:
        if not cell.isprintable() and any("\ud800" <= character <= "\udfff" for character in cell):
            raise ValueError("is not UTF-8")
        return str(check(cell.strip()))

    return read


def _id(cell: str) -> str:
    cell = cell.strip()
    if not re.fullmatch(r"0*[1-9][0-9]{0,14}", cell):
        raise ValueError(f"must be a whole number from 1 to {_LARGEST_ID}")
    return cell


def _symbol(cell: str) -> str:
    return _said_of_a_cell(normalise_symbol, cell)


def _share(cell: str) -> str:
    return _said_of_a_cell(share_symbol, cell)


def _said_of_a_cell(read: Callable[[str], str], cell: str) -> str:
    """Return what `read` makes of a cell; its error without the value, which the report shows beside it."""
    try:
        return read(cell)
    except InvalidInputError as error:
        raise ValueError(str(error).partition("' ")[2].rstrip(".") or "is not a stock symbol") from error


def _boolean(cell: str) -> str:
    try:
        return _BOOLEANS[cell.strip().lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


_PLAIN_ID: Final = re.compile(r"[1-9][0-9]{0,14}")
#: Has no second spelling, and is the form of nothing else.
_PLAIN_SYMBOL: Final = re.compile(r"[A-Z]{1,5}")
_PLAIN_TEXT: Final = re.compile(r"\w(?:[\w .,&()'/-]{0,198}[\w.)])?")
_PLAIN_RATE: Final = re.compile(r"0\.[0-9]{0,3}[1-9]")

_QuoteType = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[^\x00]+$")]
_Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
_Text200 = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]

_CLIENT_ID: Final = Column("clientId", "bigint", _PLAIN_ID, _id)
#: In place of `clientId`: the client's name, which no other client may have.
CLIENT_NAME: Final = Column("client", "text", _PLAIN_TEXT, _text(Name))

#: The columns of each kind, in the order in which an export writes them.
COLUMNS: Final[dict[Kind, tuple[Column, ...]]] = {
    Kind.CLIENTS: (
        Column("id", "bigint", _PLAIN_ID, _id, is_nullable=True),
        Column("name", "varchar(200)", _PLAIN_TEXT, _text(Name)),
        Column("loan", "numeric(16,2)", re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,2})?"), _number(MoneyIn)),
        Column("margin_requirement", "numeric(6,4)", _PLAIN_RATE, _number(RateIn), is_nullable=True),
    ),
    Kind.POSITIONS: (
        _CLIENT_ID,
        Column("symbol", "varchar(32)", _PLAIN_SYMBOL, _share),
        Column(
            "quantity",
            "numeric(20,6)",
            re.compile(r"-?(?=[0.]*[1-9])[0-9]{1,9}(?:\.[0-9]{1,6})?"),
            _number(QuantityIn),
        ),
        Column("cost_basis", "numeric(20,8)", re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,8})?"), _number(CostIn)),
    ),
    Kind.INSTRUMENTS: (
        Column("symbol", "varchar(32)", _PLAIN_SYMBOL, _symbol),
        Column("name", "varchar(200)", _PLAIN_TEXT, _text(_Text200), is_nullable=True),
        Column("currency", "varchar(3)", re.compile(r"[A-Z]{3}"), _text(_Currency), is_nullable=True),
        Column("quote_type", "varchar(32)", re.compile(r"[A-Z]{1,32}"), _text(_QuoteType), is_nullable=True),
        Column("leverage", "numeric(6,4)", re.compile(r"-?[1-9](?:\.[0-9]{1,4})?"), _number(Leverage)),
        Column("marginable", "boolean", re.compile(r"true|false"), _boolean),
        Column("house_rate", "numeric(6,4)", _PLAIN_RATE, _number(HouseRate), is_nullable=True),
    ),
}


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """Return every column that a file of a kind may have: those of an export, and what may replace one of them."""
    return (*COLUMNS[kind], CLIENT_NAME) if kind is Kind.POSITIONS else COLUMNS[kind]


def column_named(kind: Kind, name: str) -> Column | None:
    """Return a column of a kind by our name of it."""
    return next((column for column in columns_of(kind) if column.name == name), None)
