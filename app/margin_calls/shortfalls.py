"""What each kind of call asks of clients: the excess, or shortfall, by type, from a margin report."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.engine.margin import MarginReport
from app.engine.rules import MarginRules
from app.engine.units import MONEY_SCALE, NOT_ASKED
from app.margin.account import Account
from app.margin.doubt_test import at_ends, ranges_of
from app.models import CallType
from app.stocks.doubt import DoubtReason

#: In an excess column: no such call is possible, because nobody asks anything of that kind.
NO_CALL: Final = np.iinfo(np.int64).max


def excesses(report: MarginReport) -> Mapping[CallType, NDArray[np.int64]]:
    """
    Return (C,) cents by type of call: net equity less what that type requires; below 0 is a shortfall.

    An exchange call requires the exchange requirement. A house call requires the effective one as soon as the firm
    asks more than the exchange on any position (or the exchange asks nothing), so that the calls together cover
    every margin shortfall; a firm that nowhere asks more calls for its own requirement. Rows that are not complete
    are NO_CALL, like layers that ask nothing.
    """
    equity, effective = report.net_equity, report.margin_requirement
    by_exchange = report.complete & (report.exchange_requirement != NOT_ASKED)
    by_house = report.complete & (report.house_requirement != NOT_ASKED)
    firm = report.complete & (~by_exchange | (effective > report.exchange_requirement))
    exchange = np.where(by_exchange, equity - np.where(by_exchange, report.exchange_requirement, 0), NO_CALL)
    house = np.where(by_house, equity - np.where(by_house, report.house_requirement, 0), NO_CALL)
    return {CallType.HOUSE: np.where(firm, report.margin_excess, house), CallType.EXCHANGE: exchange}


def shortfalls(report: MarginReport) -> Mapping[CallType, NDArray[np.int64]]:
    """Return (C,) cents by type of call, 0 where there is none."""
    return {kind: np.maximum(-excess, 0) for kind, excess in excesses(report).items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What one type of call asks of an account whose prices may be in doubt, in cents.

    `best` is short at every price that the account may have, `worst` at some; they are equal where nothing is in doubt.
    """

    best: int
    worst: int
    stored: int
    reasons: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()

    @property
    def demand(self) -> int:
        """What is asked: for certain, else at the stored prices, else at worst."""
        return self.best or self.stored or self.worst

    def doubt(self, since: str) -> dict[str, Any] | None:
        """Return what a call shows of the doubt; None where there is none."""
        if not self.reasons:
            return None
        ends = {"best": self.best / MONEY_SCALE, "worst": self.worst / MONEY_SCALE}
        return {"reasons": list(self.reasons), "symbols": list(self.symbols), "since": since} | ends


def verdicts(
    account: Account,
    at_stored: Mapping[CallType, int] | None,
    rules: MarginRules,
    *,
    stale: Collection[str],
    unanswered: Collection[str],
) -> dict[CallType, Verdict] | None:
    """
    Return what each type of call asks of an account; None where nothing can be said of it yet.

    Args:
        account: as stored.
        at_stored: its shortfalls at the stored prices, in cents; None = it is not complete.
        rules: of the policy.
        stale: held symbols whose price, or rate, counts as in doubt for its age.
        unanswered: held symbols without a price of which a source said that it has none.
    """
    is_complete = at_stored is not None
    stored = at_stored or dict.fromkeys(CallType, 0)
    ranges = ranges_of(account, stale=stale, unanswered=unanswered)
    if ranges is None:
        return None
    if not ranges:
        return {kind: Verdict(short, short, short) for kind, short in stored.items()} if is_complete else None
    ends = at_ends(account, ranges, rules)
    if not ends.report.complete.all():
        return None
    reasons = tuple(sorted({(bounds.reason if bounds else DoubtReason.UNPRICED).value for bounds in ranges.values()}))
    found = {}
    for kind, column in shortfalls(ends.report).items():
        best = int(min(column.min(), stored[kind])) if is_complete else int(column.min())
        worst = int(max(column.max(), stored[kind]))
        found[kind] = Verdict(best if ends.has_best else 0, worst, stored[kind], reasons, tuple(sorted(ranges)))
    return found
