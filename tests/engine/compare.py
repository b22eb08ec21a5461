"""Comparison of random books with the exact oracle: `python -m tests.engine.compare 100000` runs that many."""

import sys
from decimal import Decimal
from random import Random

from app.engine.exact import COMPLETE, OVER_LIMIT, UNPRICED
from app.engine.margin import MarginReport, PositionReport, margin_report, position_report
from app.engine.units import MISSING, MONEY_SCALE, NOT_ASKED, unscaled
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.oracle import Figures, figures
from tests.engine.worlds import SYMBOLS, USD_RATES, random_account, random_market, random_policy

BOOKS_PER_WORLD = 50
STATUS = {"unpriced": UNPRICED, "over limit": OVER_LIMIT}


def money(cents: int) -> Decimal | None:
    return None if cents == NOT_ASKED else unscaled(cents, MONEY_SCALE)


def row(report: MarginReport, c: int) -> tuple[Decimal | None, ...]:
    columns = (
        report.long_market_value, report.short_market_value, report.portfolio_value, report.net_equity,
        report.exchange_requirement, report.house_requirement, report.margin_requirement, report.margin_excess,
        report.margin_shortfall,
    )  # fmt: skip
    return tuple(money(column[c]) for column in columns)


def expected_row(exact: Figures) -> tuple[Decimal | None, ...]:
    excess = exact.equity - exact.requirement
    return (exact.long, exact.short, exact.long + exact.short, exact.equity, exact.exchange, exact.house,
            exact.requirement, excess, max(Decimal(0), -excess))  # fmt: skip


def line(report: PositionReport, p: int) -> tuple[Decimal | None, ...]:
    columns = (
        report.market_value, report.exchange_requirement, report.house_requirement, report.margin_requirement,
    )  # fmt: skip
    return tuple(money(column[p]) for column in columns)


def check_world(seed: int, *, books: int = BOOKS_PER_WORLD) -> int:
    """Compare one random policy and market over some books; return how many of them are complete."""
    rng = Random(seed)  # noqa: S311 -- worlds that anyone can make again
    usd, policy = rng.choice(USD_RATES), random_policy(rng)
    market = random_market(rng, usd)
    accounts = [random_account(rng, market) for _ in range(books)]
    book = build_book(accounts, SYMBOLS)
    columns = (book, build_prices(market, usd), build_instruments(market), margin_rules(policy))
    report, (same, lines) = margin_report(*columns), position_report(*columns)
    for c, account in enumerate(accounts):
        exact = figures(policy, account, market, usd)
        if isinstance(exact, str):
            assert report.status[c] == same.status[c] == STATUS[exact], (seed, c)
            assert report.margin_shortfall[c] == same.net_equity[c] == MISSING, (seed, c)
            assert (lines.margin_requirement[book.offsets[c] : book.offsets[c + 1]] == MISSING).all(), (seed, c)
            continue
        assert report.status[c] == same.status[c] == COMPLETE, (seed, c)
        assert row(report, c) == row(same, c) == expected_row(exact), (seed, c)
        for p, wanted in enumerate(exact.lines, start=int(book.offsets[c])):
            assert line(lines, p) == (wanted.value, wanted.exchange, wanted.house, wanted.requirement), (seed, p)
    return int(report.complete.sum())


def compare(books: int, *, first_seed: int = 0) -> int:
    """Compare so many books, 50 to a policy and market; return how many of them are complete."""
    return sum(check_world(seed) for seed in range(first_seed, first_seed + books // BOOKS_PER_WORLD))


if __name__ == "__main__":
    wanted = int(sys.argv[1])
    sys.stdout.write(f"{wanted} books, {compare(wanted, first_seed=10**6)} of them complete, all equal\n")
