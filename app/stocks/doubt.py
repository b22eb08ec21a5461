"""
Prices in doubt: why an answer is held back, and between which prices the true one lies.

All of it is pure. Prices are in the main unit of the stock's currency (pounds, not pence).
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

#: Currencies with a subunit in which exchanges quote.
_WITH_SUBUNIT: Final = frozenset({"GBP", "ZAR", "ILS"})
_HUNDRED: Final = Decimal(100)
_UNIT_TOLERANCE: Final = Decimal("0.1")
#: A listing that was silent for longer may have been given to another security.
SILENCE: Final = timedelta(days=7)  # five trading days and a weekend
#: A jump is limited in proportion to a fund's leverage, up to this fraction; an exchange rate's is this one.
_LARGEST_LIMIT: Final = Decimal("0.9")
FX_LIMIT: Final = Decimal("0.05")
#: Between these factors, a gap that starts at our last close is an ordinary one: earnings, a crash in a leveraged fund.
_ORDINARY: Final = (Decimal("0.55"), Decimal("1.8"))
_CLOSE_TOLERANCE: Final = Decimal("0.02")
#: Between these factors, time alone ends the doubt about a jump.
_TIME_ENDS: Final = (Decimal(1) / 3, Decimal(3))
ANSWERS_TO_BELIEVE: Final = 3
#: A stale price is taken to lie within this fraction of the stored one, an exchange rate within the other.
STALE_SHARE: Final = Decimal("0.3")
STALE_FX_SHARE: Final = Decimal("0.05")

#: Forms of companies, words of listings and of any fund: another company is meant only where other words differ.
_NO_NAME: Final = re.compile(
    r"inc|incorporated|corp|corporation|co|company|ltd|limited|plc|ag|sa|se|nv|spa|ab|asa|oyj|holdings?|group|the|of|and"
    r"|common|stock|shares?|ordinary|ord|class|adr|ads|reg|registered|etf|fund|trust|income|index|daily"
)


class DoubtReason(StrEnum):
    """Why a price is in doubt."""

    STALE = "stale"
    UNPRICED = "unpriced"
    INELIGIBLE = "ineligible"
    KIND = "kind"
    JUMP = "jump"
    UNIT = "unit"
    CURRENCY = "currency"
    IDENTITY = "identity"
    SPLIT = "split"
    HALTED = "halted"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True, slots=True)
class Doubt:
    """The range in which a price lies, why it is in doubt, and since when."""

    reason: DoubtReason
    low: Decimal
    high: Decimal
    since: datetime
    #: The last price that nobody doubted.
    undoubted: Decimal
    #: Answers in a row that lie on the new side of half-way.
    answers: int = 0
    #: Whether the source of splits has said that there is none.
    no_split: bool = False

    def widened(self, price: Decimal) -> "Doubt":
        """Return the doubt with a price in its range."""
        return replace(self, low=min(self.low, price), high=max(self.high, price))


@dataclass(frozen=True, slots=True)
class Listing:
    """What says of a price which security's it is, and in what it is counted."""

    price: Decimal
    currency: str
    market_time: datetime
    name: str | None = None
    kind: str | None = None


def limit_of(jump_limit: Decimal, *, leverage: Decimal, is_fx: bool) -> Decimal:
    """Return the largest change that is used at once, a fraction of the stored price."""
    return FX_LIMIT if is_fx else min(jump_limit * max(Decimal(1), abs(leverage)), _LARGEST_LIMIT)


def held_reason(stored: Listing, quoted: Listing, *, is_jump: bool) -> DoubtReason | None:
    """Return why an answer is not believed however often it is said; None where nothing of that sort is wrong."""
    if quoted.currency != stored.currency:
        return DoubtReason.CURRENCY
    if quoted.currency in _WITH_SUBUNIT and is_unit_factor(quoted.price / stored.price):
        return DoubtReason.UNIT
    silent = quoted.market_time - stored.market_time > SILENCE
    if (is_jump or silent) and not is_same_security(stored, quoted):
        return DoubtReason.IDENTITY
    return None


def is_unit_factor(factor: Decimal) -> bool:
    """Return whether two prices are apart by a hundred, or nearly, as pounds and pence are."""
    times = max(factor, 1 / factor)
    return abs(times - _HUNDRED) <= _UNIT_TOLERANCE * _HUNDRED


def is_same_security(stored: Listing, quoted: Listing) -> bool:
    """Return whether neither name nor kind says that a symbol is another security's now; unknown says nothing."""
    if stored.kind and quoted.kind and stored.kind != quoted.kind:
        return False
    if not stored.name or not quoted.name:
        return True
    before, after = _words(stored.name), _words(quoted.name)
    return 2 * len(before & after) >= min(len(before), len(after))


def _words(name: str) -> frozenset[str]:
    """Return what a name is made of, without forms of companies."""
    words = frozenset(re.findall(r"[a-z0-9]+", name.lower()))
    return frozenset(word for word in words if not _NO_NAME.fullmatch(word)) or words


def is_ordinary_gap(price: Decimal, *, stored: Decimal, our_close: Decimal | None, their_close: Decimal | None) -> bool:
    """
    Return whether a jump that was confirmed leaves no doubt: its answer knows the close from which it starts.

    Args:
        price: after the jump.
        stored: before it.
        our_close: the last close that we saw; None = none.
        their_close: the previous close that the answer gives; None = none.
    """
    low, high = _ORDINARY
    if our_close is None or their_close is None or not low < price / stored < high:
        return False
    return abs(their_close - our_close) <= _CLOSE_TOLERANCE * our_close


def begun(reason: DoubtReason, *, stored: Decimal, price: Decimal, since: datetime) -> Doubt:
    """Return the doubt about a price beside the stored one: it lies between them."""
    return Doubt(reason, min(stored, price), max(stored, price), since, stored)


def begun_by_split(*, stored: Decimal, price: Decimal, new: Decimal, old: Decimal, since: datetime) -> Doubt:
    """
    Return the doubt while a corporate action waits: for each unit held, an old one, or the new ones that it may become.

    Old units at the old price, old units at the newest price, new units at the newest price.
    """
    values = (stored, price, price * new / old)
    return Doubt(DoubtReason.SPLIT, min(values), max(values), since, stored)


def is_near(price: Decimal, undoubted: Decimal, limit: Decimal) -> bool:
    """Return whether a price is no jump away from the one that was not in doubt."""
    return abs(price - undoubted) <= limit * undoubted


def after_answer(
    doubt: Doubt, price: Decimal, *, market_time: datetime, limit: Decimal, seconds: float
) -> Doubt | None:
    """
    Return what is left of the doubt about a jump after one more answer; None where it ended.

    It ends where the price is back, and by time where the jump lies between a third and three times, enough answers
    over enough time lie on the new side of half-way, and the source has said that no split is behind it.

    Args:
        doubt: about a jump.
        price: of the answer.
        market_time: when the market made it; it stands still while the market is closed.
        limit: what is no jump, a fraction.
        seconds: `RISK_JUMP_DOUBT_SECONDS`.
    """
    if is_near(price, doubt.undoubted, limit):
        return None
    far = doubt.high if doubt.high - doubt.undoubted > doubt.undoubted - doubt.low else doubt.low
    half_way = (doubt.undoubted + far) / 2
    is_beyond = price >= half_way if far > doubt.undoubted else price <= half_way
    answers = doubt.answers + 1 if is_beyond else 0
    left = replace(doubt.widened(price), answers=answers)
    low, high = _TIME_ENDS
    lasted = (market_time - doubt.since).total_seconds() >= seconds
    is_over = lasted and answers >= ANSWERS_TO_BELIEVE and doubt.no_split and low < price / doubt.undoubted < high
    return None if is_over else left
