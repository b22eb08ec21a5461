"""
Boundaries checked by recomputation: `python -m tests.engine.boundaries 10000` runs that many random books.

Every distance and trigger is recomputed at the price reported and one step before it, and the range before it is
scanned: nothing there may have the other state.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from app.engine.book import Book, Instruments, Prices
from app.engine.distance import distances, triggers
from app.engine.exact import COMPLETE
from app.engine.margin import margin_report
from app.engine.quotes import Quotes
from app.engine.rules import MarginRules
from app.engine.units import MISSING, PRICE_LIMIT, convert
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.worlds import SYMBOLS, USD_RATES, random_account, random_market, random_policy

BOOKS_PER_WORLD = 10
WHOLE = 10**8
FX = (10**8, 10**8, 92_150_001, 14_987_654_321, 1_000_000)
SCAN = 60
Column = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """A policy, a market and clients in it."""

    book: Book
    prices: Prices
    quotes: Quotes
    instruments: Instruments
    rules: MarginRules

    def states(self, c: int, priced: Sequence[Column]) -> list[bool | None]:
        """Return whether client c is in a call at each of these prices; None: no figures. One revaluation."""
        a, b = self.book.offsets[c], self.book.offsets[c + 1]
        if not priced:
            return []
        times, symbols = len(priced), len(self.book.symbols)
        shift = np.repeat(np.arange(times) * symbols, b - a)
        copies = Book(
            client_ids=np.arange(times),
            offsets=np.arange(times + 1) * (b - a),
            symbol_index=(np.tile(self.book.symbol_index[a:b], times) + shift).astype(np.int32),
            quantity=np.tile(self.book.quantity[a:b], times),
            loan=np.full(times, self.book.loan[c]),
            client_rate=np.full(times, self.book.client_rate[c]),
            symbols=self.book.symbols * times,
        )
        kinds = self.instruments
        instruments = Instruments(
            leverage=np.tile(kinds.leverage, times),
            marginable=np.tile(kinds.marginable, times),
            house_rate=np.tile(kinds.house_rate, times),
            is_stock=np.tile(kinds.is_stock, times),
        )
        prices = Prices(np.concatenate(priced), self.prices.usd_rate)
        report = margin_report(copies, prices, instruments, self.rules, threads=1)
        rows = zip(report.complete, report.margin_shortfall, strict=True)
        return [bool(shortfall > 0) if complete else None for complete, shortfall in rows]

    def moved(self, factor: int) -> Column:
        """Return all prices at a factor in 1e-8, rounded half up, and never below 1."""
        prices = self.prices.price.tolist()
        moved = [max(1, (p * factor + WHOLE // 2) // WHOLE) if p else 0 for p in prices]
        return np.array([min(p, PRICE_LIMIT) for p in moved], np.int64)

    def highest_rise(self, c: int) -> int:
        """Return the steps of 1e-8 that the client's prices can rise within the limits of prices."""
        held = self.book.symbol_index[self.book.offsets[c] : self.book.offsets[c + 1]]
        top = int(self.prices.price[held].max(initial=1))
        return min(10 * WHOLE, (PRICE_LIMIT - top) * WHOLE // top)

    def repriced(self, symbol: int, quote: int) -> Column:
        """Return today's prices with one symbol at another price in its own currency."""
        prices = self.prices.price.copy()
        prices[symbol] = convert(quote, int(self.quotes.fx[symbol]))
        return prices


def make_world(seed: int, *, books: int = BOOKS_PER_WORLD, rules: MarginRules | None = None) -> World:
    """Return a random world, most of its clients near a boundary, in or out of a call."""
    rng = Random(seed)  # noqa: S311 -- worlds that anyone can make again
    usd = rng.choice(USD_RATES)
    rules = rules or margin_rules(random_policy(rng))
    market = random_market(rng, usd)
    book = build_book([random_account(rng, market) for _ in range(books)], SYMBOLS)
    fx = np.array([rng.choice(FX) for _ in SYMBOLS])
    priced = build_prices(market, usd)
    pairs = zip(priced.price.tolist(), fx.tolist(), strict=True)
    quotes = np.array([min(max(1, price * WHOLE // rate), PRICE_LIMIT) if price else 0 for price, rate in pairs])
    converted = [convert(quote, rate) for quote, rate in zip(quotes.tolist(), fx.tolist(), strict=True)]
    prices = Prices(np.array(converted), priced.usd_rate)
    instruments = build_instruments(market)
    report = margin_report(book, prices, instruments, rules)
    loan = book.loan.copy()
    for c in np.flatnonzero(report.status == COMPLETE):
        gross = int(report.long_market_value[c] - report.short_market_value[c])
        aim = rng.choice([0, 1, -1, 5, -5, *(rng.randint(-gross // 5, gross // 3) for _ in range(8))])
        near = int(loan[c] + report.margin_excess[c]) - aim
        if rng.random() < 0.9 and abs(near) < 10**14:
            loan[c] = near
    return World(replace(book, loan=loan), prices, Quotes(quotes, fx), instruments, rules)


def steps_before(rng: Random, last: int) -> list[int]:
    """Return steps from 1 to `last` to look at: all of a short range; of a long one some on every scale."""
    if last <= SCAN:
        return list(range(1, last + 1))
    near = {int(last ** rng.random()) for _ in range(SCAN // 3)}
    far = {last + 1 - int(last ** rng.random()) for _ in range(SCAN // 3)}
    return sorted(near | far | {rng.randint(1, last) for _ in range(SCAN // 3)} | {1, last})


def check_distances(world: World, rng: Random) -> int:
    """Check every client's distances; return how many there are."""
    today = margin_report(world.book, world.prices, world.instruments, world.rules)
    found = distances(world.book, world.prices, world.instruments, world.rules)
    count = 0
    for c in range(len(world.book.client_ids)):
        for way, fraction, value in ((-1, found.drop[c], found.drop_value[c]), (1, found.rise[c], found.rise_value[c])):
            limit = WHOLE if way < 0 else world.highest_rise(c)
            step = 0 if np.isnan(fraction) else round(fraction * WHOLE)
            if not today.complete[c]:
                assert (step, value) == (0, MISSING)
                continue
            before = steps_before(rng, step - 1 if step else limit)
            state = bool(today.margin_shortfall[c] > 0)
            seen = world.states(c, [world.moved(WHOLE + way * s) for s in before])
            assert (not state) not in seen, (c, way, step, before[seen.index(not state)])
            if not step:
                assert value == MISSING
                continue
            count += 1
            assert 0 < step <= limit
            at = Prices(world.moved(WHOLE + way * step), world.prices.usd_rate)
            report = margin_report(world.book, at, world.instruments, world.rules)
            if report.complete[c]:
                assert bool(report.margin_shortfall[c] > 0) is not state, (c, way, step)
                assert report.portfolio_value[c] == value, (c, way, step)
    return count


def check_triggers(world: World, rng: Random) -> int:
    """Check every position's triggers; return how many there are."""
    today = margin_report(world.book, world.prices, world.instruments, world.rules)
    found = triggers(world.book, world.prices, world.quotes, world.instruments, world.rules)
    count = 0
    for c in range(len(world.book.client_ids)):
        for p in range(world.book.offsets[c], world.book.offsets[c + 1]):
            s = int(world.book.symbol_index[p])
            quote = int(world.quotes.price[s])
            for way, trigger in ((-1, int(found.down[p])), (1, int(found.up[p]))):
                if not today.complete[c]:
                    assert trigger == 0
                    continue
                state = bool(today.margin_shortfall[c] > 0)
                furthest = (
                    quote - 1 if way < 0 else min(PRICE_LIMIT, PRICE_LIMIT * WHOLE // int(world.quotes.fx[s])) - quote
                )
                step = abs(trigger - quote) if trigger else 0
                before = steps_before(rng, step - 1 if step else furthest)
                seen = world.states(c, [world.repriced(s, quote + way * b) for b in before])
                assert (not state) not in seen, (p, way, trigger, before[seen.index(not state)])
                if step:
                    count += 1
                    assert (trigger - quote) * way > 0
                    assert world.states(c, [world.repriced(s, trigger)])[0] is not state, (p, way, trigger)
    return count


def check_world(seed: int) -> tuple[int, int]:
    """Check one random world; return how many distances and triggers it has."""
    world, rng = make_world(seed), Random(-seed)  # noqa: S311 -- where to look
    return check_distances(world, rng), check_triggers(world, rng)


def check(books: int, *, first_seed: int = 0) -> tuple[int, int]:
    """Check so many books, ten to a world; return how many distances and triggers they have."""
    counts = [check_world(seed) for seed in range(first_seed, first_seed + books // BOOKS_PER_WORLD)]
    return sum(one for one, _ in counts), sum(other for _, other in counts)


if __name__ == "__main__":
    wanted = int(sys.argv[1])
    sys.stdout.write(
        "{} books: {} distances, {} triggers, exceptions 0\n".format(wanted, *check(wanted, first_seed=10**6))
    )
