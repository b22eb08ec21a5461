"""Published examples that a margin report or a stress rung can express; each names its source."""

from decimal import Decimal

import pytest

from app.engine.margin import MarginReport, margin_report
from app.engine.rules import MarginRules
from app.engine.stress import ladder, shocked
from app.policies.load import builtin_policy
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices, parse_policy
from tests.engine.oracle import Account, Listed

FLAT = margin_rules(builtin_policy("flat"))
FINRA = margin_rules(builtin_policy("finra_4210"))
IBKR = "https://www.interactivebrokers.co.jp/en/index.php?f=4745&p=overview3"


def report_on(
    holdings: dict[str, tuple[int, str]],
    loan: int,
    rate: str | None = None,
    *,
    rules: MarginRules = FLAT,
    leverage: int = 1,
) -> MarginReport:
    market = {symbol: Listed(Decimal(price), Decimal(leverage)) for symbol, (_, price) in holdings.items()}
    account = Account(
        [(s, Decimal(quantity)) for s, (quantity, _) in holdings.items()],
        Decimal(loan),
        Decimal(rate) if rate else None,
    )
    book = build_book([account], tuple(market))
    return margin_report(book, build_prices(market), build_instruments(market), rules)


def dollars(report: MarginReport) -> tuple[float, float, float, float, float]:
    """Return value, equity, requirement, excess and shortfall."""
    columns = (
        report.portfolio_value,
        report.net_equity,
        report.margin_requirement,
        report.margin_excess,
        report.margin_shortfall,
    )
    value, equity, requirement, excess, shortfall = (int(column[0]) / 100 for column in columns)
    return value, equity, requirement, excess, shortfall


@pytest.mark.parametrize(
    ("source", "holdings", "loan", "rate", "expected"),
    [
        pytest.param(IBKR, {}, -10_000, None, (0, 10_000, 0, 10_000, 0), id="IBKR-D1"),
        pytest.param(IBKR, {"A": (500, "40")}, 10_000, None, (20_000, 10_000, 5_000, 5_000, 0), id="IBKR-D2"),
        pytest.param(
            "https://royaltrade.exchange/en/index8627.html?f=marginnew&p=overview3 (mirror of the IBKR page)",
            {"A": (500, "45")}, 10_000, None, (22_500, 12_500, 5_625, 6_875, 0), id="IBKR-D3a",
        ),
        pytest.param(
            "https://www.penzienlaw.com/blog/2011/august/margin-accounts-what-are-they-and-what-are-the-r/",
            {"A": (100, "120")}, 8_000, None, (12_000, 4_000, 3_000, 1_000, 0), id="SEC-16K",
        ),
        pytest.param(
            "https://www.firstrade.com/content/en-us/education/margin/margintutorials?h=margincall_sc.htm",
            {"A": (100, "140")}, 10_000, "0.3", (14_000, 4_000, 4_200, -200, 200), id="FIRSTRADE-1",
        ),
        pytest.param(
            "https://www.investopedia.com/university/margin/margin2.asp",
            {"A": (200, "35")}, 5_000, "0.3", (7_000, 2_000, 2_100, -100, 100), id="INVESTOPEDIA-1 (status)",
        ),
        pytest.param(
            "https://open-exam-prep.com/exams/series7/chapter-9/margin-calculations",
            {"A": (100, "120")}, 10_000, None, (12_000, 2_000, 3_000, -1_000, 1_000), id="OPENEXAM-2",
        ),
        pytest.param(
            "hansneddyanto/mini-risk-monitoring-system:backend/__tests__/marginUtils.test.js",
            {"A": (1000, "100")}, 80_000, None, (100_000, 20_000, 25_000, -5_000, 5_000), id="SIBLING-CALL",
        ),
        pytest.param(
            "github.com/lukelittle/finra-4210-margin-risk-monitor-example",
            {"A": (500, "350")}, 100_000, None, (175_000, 75_000, 43_750, 31_250, 0), id="LUKE-350",
        ),
        pytest.param(
            "github.com/lukelittle/finra-4210-margin-risk-monitor-example",
            {"A": (500, "280")}, 100_000, None, (140_000, 40_000, 35_000, 5_000, 0), id="LUKE-280",
        ),
    ],
)  # fmt: skip
def test_published_status(
    source: str, holdings: dict[str, tuple[int, str]], loan: int, rate: str | None, expected: tuple[int, ...]
) -> None:
    assert dollars(report_on(holdings, loan, rate)) == expected, source


def test_luke_ladder_rung_equals_the_report_at_that_price() -> None:
    """LUKE-280 as a rung of LUKE-350: 350 falls by 20 % to 280 (github.com/lukelittle/finra-4210-margin-risk-...)."""
    market = {"A": Listed(Decimal(350))}
    book = build_book([Account([("A", Decimal(500))], Decimal(100_000))], ("A",))

    (rung,) = ladder(book, build_prices(market), build_instruments(market), FLAT, [-2000])

    assert shocked(build_prices(market), -2000).price[0] == 280 * 10**8
    assert dollars(rung.report) == (140_000, 40_000, 35_000, 5_000, 0)


def test_a_twofold_fund_asks_half_of_its_value() -> None:
    """FINRA-0953-LONG2X: https://www.finra.org/rules-guidance/notices/09-53, 100 x 28 at 2 x 25 %."""
    report = report_on({"A": (100, "28")}, 0, rules=FINRA, leverage=2)

    assert report.exchange_requirement[0] == 140_000


def test_short_at_thirty_percent() -> None:
    """ACHIEVABLE-SHORT: https://talk.achievable.me/t/margin-accounts-min-maint-review-questions/537."""
    report = report_on({"A": (-1000, "40.50")}, -60_000, rules=FINRA)

    assert (report.short_market_value[0], report.margin_requirement[0]) == (-4_050_000, 1_215_000)


def test_short_at_ten_dollars_asks_five_a_share() -> None:
    """S10-SHORT-10: https://series10fourhundredquestions.examzify.com/question/what-is-the-minimum-maintenance-..."""
    assert report_on({"A": (-1, "10")}, 0, rules=FINRA).margin_requirement[0] == 500


def test_short_trigger_of_a_credit_balance_is_no_call_and_a_cent_more_is_one() -> None:
    """S7BLOG-SHORT: http://finra-series-7-exam-review.blogspot.com/2014/05/margin-outline_8.html."""
    at, above = (report_on({"A": (-1000, price)}, -130_000, rules=FINRA) for price in ("100", "100.01"))

    assert (at.margin_excess[0], at.margin_shortfall[0]) == (0, 0)
    assert above.margin_shortfall[0] == 1300


def test_a_higher_own_rate_stands_against_concentration() -> None:
    """FIRSTRADE-CONC-1: https://help.en-us.firstrade.com/article/866-concentrated-margin-positions-requirement-update."""

    def rule(name: str, **numbers: object) -> dict[str, object]:
        return {"id": name, "source": "Firstrade, article 866", **numbers}

    least = [rule(f"share-{at}", at_least=at, rate=rate) for at, rate in ((0.25, 0.35), (0.35, 0.4), (0.5, 0.5))]
    concentration = {"style": "greater_of", "minimum_debit": 100_000, "stocks_only": True, "long": least}
    policy = parse_policy({
        "id": "firstrade", "version": "1", "title": "Firstrade",
        "house": {"long": rule("base", rate=0.3), "symbols": {"A": rule("own", long=0.45, short=0.45)},
                  "concentration": concentration},
    })  # fmt: skip
    holdings = {"A": (4000, "100"), "B": (6000, "100")}  # shares of 40 % and 60 %

    report = report_on(holdings, 100_000, rules=margin_rules(policy))
    below = report_on(holdings, 99_999, rules=margin_rules(policy))

    assert report.margin_requirement[0] == 100 * (0.45 * 400_000 + 0.5 * 600_000)
    assert below.margin_requirement[0] == 100 * (0.45 * 400_000 + 0.3 * 600_000)
