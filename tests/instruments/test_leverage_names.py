"""What a fund's name says of its leverage; names are those of real families of funds, or made up in their manner."""

from decimal import Decimal

import pytest

from app.instruments.leverage_names import Leverage, leverage_of

UNKNOWN = Decimal(3)
NAMES = {
    "Direxion Daily TSLA Bull 2X Shares": ("2", "name"),
    "Sample Daily Bear 3X": ("3", "name"),
    "AXS TSLA Bear Daily -1X ETF": ("1", "name"),
    "GraniteShares 1.25x Long TSLA Daily ETF": ("1.25", "name"),
    "WisdomTree S&P 500 3x Daily Short": ("3", "name"),
    "Sample Fund (2x)": ("2", "name"),
    "MicroSectors FANG+ Index 3X Leveraged ETN": ("3", "name"),
    "ProShares Ultra S&P500": ("2", "name"),
    "ProShares UltraShort 20+ Year Treasury": ("2", "name"),
    "ProShares UltraPro QQQ": ("3", "name"),
    "ProShares UltraPro Short QQQ": ("3", "name"),
    "ProShares Short S&P500": ("1", "name"),
    "Sample Inverse Small Cap Fund": ("1", "name"),
    "AdvisorShares Ranger Equity Bear ETF": ("1", "name"),
    "DB Gold Double Long ETN": ("2", "name"),
    "Sample Daily Leveraged Semiconductor ETF": ("3", "unknown"),
    "Sample Leveraged Inverse Gold": ("3", "unknown"),
    "Invesco Senior Loan ETF": ("1", "none"),
    "Sample Leveraged Loan ETF": ("1", "none"),
    "iShares Floating Rate Bond ETF": ("1", "none"),
    "Sample Ultra-Short Income ETF": ("1", "none"),
    "SPDR SSGA Ultra Short Term Bond ETF": ("1", "none"),
    "Sample Ultra Short Duration ETF": ("1", "none"),
    "PIMCO Enhanced Short Maturity Active ETF": ("1", "none"),
    "Sample Short-Term Treasury ETF": ("1", "none"),
    "iShares Short Treasury Bond ETF": ("1", "none"),
    "First Trust Long/Short Equity ETF": ("1", "none"),
    "Broad Market Index Fund": ("1", "none"),
    "Max Growth Fund": ("1", "none"),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_the_name_of_a_fund_says_its_leverage(name: str, expected: tuple[str, str]) -> None:
    size, source = expected

    assert leverage_of(name, "ETF", unknown=UNKNOWN) == Leverage(Decimal(size), source)  # type: ignore[arg-type] # a literal


@pytest.mark.parametrize("quote_type", ["EQUITY", "MUTUALFUND", None])
def test_only_an_etf_is_one(quote_type: str | None) -> None:
    assert leverage_of("Ultra Clean Pumps 2x, Inc.", quote_type, unknown=UNKNOWN).source == "none"


def test_no_name_says_nothing() -> None:
    assert leverage_of(None, "ETF", unknown=UNKNOWN) == Leverage(Decimal(1), "none")
