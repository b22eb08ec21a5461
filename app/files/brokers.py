"""
The position exports of three brokers, row by row.

- `ibkr`: Interactive Brokers, Activity Flex Query, section Open Positions, CSV with column headers; needs the fields
  ClientAccountID, Symbol, AssetClass, Quantity, CostBasisPrice, LevelOfDetail and CurrencyPrimary. Fields:
  https://www.ibkrguides.com/reportingreference/reportguide/open%20positionsfq.htm; their names in CSV as users'
  tests show them.
- `schwab`: Charles Schwab, Accounts > Positions > Export of one account: a title line, then
  `"Symbol","Description","Qty (Quantity)",...`; in older files the column is `Quantity`. As described in
  https://github.com/vroonhof/opensteuerauszug (src/opensteuerauszug/importers/schwab/formats.md).
- `fidelity`: Fidelity, Portfolio > Positions > Download: `Portfolio_Positions_<date>.csv`. As described in
  https://github.com/openalloc/FINporterFido and in the tests of several readers of it.

A row that is no holding (cash, totals, disclaimers) is skipped. A holding that this service cannot carry (an option, a
bond, a stock listed abroad) is a fault: left out silently it would make the margin wrong.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from typing import Final

_EXACT: Final = Context(prec=15, rounding=ROUND_HALF_UP)
_COST_STEP: Final = Decimal("0.00000001")
_COST_LIMIT: Final = Decimal(10) ** 10
#: Commas separate thousands; one elsewhere is a decimal point of another locale.
_DIGITS: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_AMOUNT: Final = re.compile(rf"[-+]?[$]?[-+]?{_DIGITS}|\([$]?{_DIGITS}\)")
#: What bonds, and others without a symbol, are called: six characters of the issuer, two of the issue, a check digit.
_CUSIP: Final = re.compile(r"[0-9]{3}[0-9A-Z]{5}[0-9]")
_UNKNOWN: Final = frozenset({"", "--", "-", "n/a"})


class Broker(StrEnum):
    """Whose export a file is."""

    IBKR = "ibkr"
    SCHWAB = "schwab"
    FIDELITY = "fidelity"


@dataclass(frozen=True, slots=True)
class Holding:
    """A row as a broker writes it, in our words."""

    #: None where the file does not say it.
    account: str | None
    symbol: str
    quantity: str
    cost_basis: str


@dataclass(frozen=True, slots=True)
class Export:
    """How one broker writes positions; names of columns in lower case."""

    #: The first row that has all of these names the columns; of several names for one thing, one.
    header: tuple[frozenset[str], ...]
    #: Returns a row's holding; None where it is none; raises ValueError where it is one that we cannot carry.
    read: Callable[[Mapping[str, str]], Holding | None]
    #: Whether a row says whose it is.
    has_account: bool
    #: Whether one position may take several rows, such as what is held as cash and what on margin.
    adds_up: bool = False
    #: Whether a row is a part of a holding that another row has whole; then it is not read.
    is_part: Callable[[Mapping[str, str]], bool] = lambda _: False


def _ibkr(row: Mapping[str, str]) -> Holding | None:
    if row["symbol"] in {"", "Symbol"}:
        return None  # a statement of several accounts repeats the header
    if row["assetclass"] != "STK":
        raise ValueError(f"is of asset class {row['assetclass']}; only stocks and funds are held here")
    if row["currencyprimary"] != "USD":
        raise ValueError(f"trades in {row['currencyprimary']}: its symbol needs the suffix of its exchange")
    return Holding(
        account=row["clientaccountid"],
        symbol=row["symbol"].replace(" ", "-"),  # BRK B
        quantity=row["quantity"],
        cost_basis=_kept(Decimal(_number(row["costbasisprice"], "CostBasisPrice"))),
    )


def _is_lot(row: Mapping[str, str]) -> bool:
    """Return whether a row is a part of what a summary has whole."""
    return row["levelofdetail"].upper() == "LOT"


def _schwab(row: Mapping[str, str]) -> Holding | None:
    symbol = row["symbol"]
    if symbol.lower().startswith("positions for"):
        raise ValueError("begins another account; export one at a time")
    kind = (row.get("asset type") or row.get("security type") or "").lower()
    if not symbol or symbol.lower() in {"cash & cash investments", "account total", "positions total"}:
        return None
    if kind.startswith("cash"):
        return None
    if kind and not kind.startswith(("equity", "etf", "mutual fund")):
        raise ValueError(f"is of type {kind}; only stocks and funds are held here")
    quantity = _number(row.get("qty (quantity)") or row.get("quantity") or "", "Quantity")
    return Holding(
        account=None,
        symbol=symbol.replace("/", "-"),  # BRK/B
        quantity=quantity,
        cost_basis=_each(_number(row["cost basis"], "Cost Basis"), quantity),
    )


def _fidelity(row: Mapping[str, str]) -> Holding | None:
    symbol = row["symbol"].strip()
    if not symbol or symbol.endswith("**") or symbol.lower() == "pending activity":
        return None
    if symbol.startswith("-"):
        raise ValueError("is an option; only stocks and funds are held here")
    if "/" in symbol or _CUSIP.fullmatch(symbol):
        raise ValueError("is no stock; only stocks and funds are held here")
    return Holding(
        account=row["account number"],
        symbol=symbol,
        quantity=_number(row["quantity"], "Quantity"),
        cost_basis=_number(row["average cost basis"], "Average Cost Basis"),
    )


def _number(text: str, name: str) -> str:
    """Return an amount without dollar sign, thousands' commas and the parentheses of a negative one."""
    text = text.strip()
    if text.lower() in _UNKNOWN:
        raise ValueError(f"has no {name}")
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{name} is no amount")
    sign = "-" if "-" in text or text.startswith("(") else ""
    return sign + re.sub(r"[^0-9.]", "", text)


def _each(total: str, quantity: str) -> str:
    """Return the cost of one unit: total / quantity."""
    units = Decimal(quantity)
    if not units:
        raise ValueError("has quantity 0")
    return _kept(_EXACT.divide(abs(Decimal(total)), abs(units)))


def _kept(cost: Decimal) -> str:
    """Return the cost of one unit, which brokers write to as many places as they like: to 8 decimals and 15 digits."""
    if abs(cost) >= _COST_LIMIT:
        raise ValueError("has a cost that is out of bounds")
    return format(_EXACT.plus(cost.quantize(_COST_STEP, ROUND_HALF_UP)), "f")


def _any(*names: str) -> frozenset[str]:
    return frozenset(names)


_IBKR_FIELDS: Final = (
    "clientaccountid",
    "symbol",
    "assetclass",
    "quantity",
    "costbasisprice",
    "levelofdetail",
    "currencyprimary",
)
_FIDELITY_FIELDS: Final = ("account number", "symbol", "quantity", "average cost basis")

EXPORTS: Final[Mapping[Broker, Export]] = {
    Broker.IBKR: Export(tuple(map(_any, _IBKR_FIELDS)), _ibkr, has_account=True, is_part=_is_lot),
    Broker.SCHWAB: Export(
        (
            _any("symbol"),
            _any("qty (quantity)", "quantity"),
            _any("cost basis"),
            _any("asset type", "security type"),
        ),
        _schwab,
        has_account=False,
    ),
    Broker.FIDELITY: Export(tuple(map(_any, _FIDELITY_FIELDS)), _fidelity, has_account=True, adds_up=True),
}
