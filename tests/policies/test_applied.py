"""The rules that are quoted for a position are those that gave its rate."""

from decimal import Decimal

import pytest

from app.engine.margin import position_report
from app.policies.applied import exchange_rules, house_rules
from app.policies.form import Policy
from app.policies.load import builtin_policy, parse_policy
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.oracle import Account, Listed
from tests.policies.test_form import HOUSE

FINRA = builtin_policy("finra_4210")
DESK = parse_policy({**HOUSE, "house": {**HOUSE["house"], "own_rates": {"id": "desk", "source": "the desk"}}})


def quoted(policy: Policy, listed: Listed, quantity: int, *, symbol: str = "A", rate: str | None = None) -> list[str]:
    """Return the ids of the rules behind a client's first of two positions; the other is ten times as large."""
    market = {symbol: listed, "OTHER": Listed(Decimal(1))}
    size = abs(quantity) * (listed.price or Decimal(0)) * 10
    account = Account([(symbol, Decimal(quantity)), ("OTHER", size)], Decimal(0), Decimal(rate) if rate else None)
    columns = (build_book([account], tuple(market)), build_prices(market), build_instruments(market))
    _, lines = position_report(*columns, margin_rules(policy))
    desk_rate = int(columns[2].house_rate[0])
    exchange = exchange_rules(policy, int(lines.exchange_code[0]), is_long=quantity > 0)
    code = int(lines.house_code[0])
    house = house_rules(policy, code, is_long=quantity > 0, symbol=symbol, desk_rate=desk_rate)
    return [rule.id for rule in (*exchange, *house)]


@pytest.mark.parametrize(
    ("listed", "quantity", "rate", "ids"),
    [
        (Listed(Decimal(10)), 1, None, ["4210-c-1"]),
        (Listed(Decimal(10)), -1, None, ["4210-c-3"]),
        (Listed(Decimal("4.99")), -1, None, ["4210-c-2"]),
        (Listed(Decimal(10), leverage=Decimal(-3)), -1, None, ["4210-c-3", "notice-09-53"]),
        (Listed(Decimal(10)), 1, "0.4", ["4210-c-1", "client-rate"]),
        (Listed(Decimal(10)), -1, "0.4", ["4210-c-3"]),
        (Listed(Decimal(10), marginable=False), 1, None, ["4210-c-1", "not-marginable"]),
        (Listed(Decimal(10), house_rate=Decimal("0.6")), 1, None, ["4210-c-1", "instrument-rate"]),
    ],
)
def test_rules_of_4210_are_quoted(listed: Listed, quantity: int, rate: str | None, ids: list[str]) -> None:
    assert quoted(FINRA, listed, quantity, rate=rate) == ids


@pytest.mark.parametrize(
    ("symbol", "listed", "quantity", "ids"),
    [
        ("A", Listed(Decimal(3)), 1, ["penny"]),
        ("A", Listed(Decimal(100)), 1, ["long"]),
        ("A", Listed(Decimal(100)), -1, ["short"]),
        ("TSLA", Listed(Decimal(100)), 1, ["tsla"]),
        ("TSLA", Listed(Decimal(100), house_rate=Decimal("0.46")), 1, ["desk"]),
        ("TSLA", Listed(Decimal(100), house_rate=Decimal("0.45")), 1, ["tsla"]),
    ],
)
def test_rules_of_a_house_are_quoted(symbol: str, listed: Listed, quantity: int, ids: list[str]) -> None:
    assert quoted(DESK, listed, quantity, symbol=symbol) == ids


@pytest.mark.parametrize(
    ("others", "ids"), [(Decimal(9), ["long"]), (Decimal(8), ["long", "tenth"]), (Decimal(3), ["long", "fifth"])]
)
def test_the_concentration_step_that_holds_is_quoted(others: Decimal, ids: list[str]) -> None:
    """One of 10, 9 and 4 parts: not above 10 %, above 10 %, above 20 %."""
    market = {"A": Listed(Decimal(10)), "B": Listed(Decimal(10))}
    account = Account([("A", Decimal(1000)), ("B", 1000 * others)], Decimal(0))
    columns = (build_book([account], tuple(market)), build_prices(market), build_instruments(market))
    _, lines = position_report(*columns, margin_rules(DESK))

    rules = house_rules(DESK, int(lines.house_code[0]), is_long=True, symbol="A", desk_rate=-1)

    assert [rule.id for rule in rules] == ids
