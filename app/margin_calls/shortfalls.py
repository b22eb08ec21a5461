"""What each kind of call asks of clients: the excess, or shortfall, by type, from a margin report."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.engine.margin import MarginReport
from app.engine.units import NOT_ASKED
from app.models import CallType

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
