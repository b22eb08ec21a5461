"""What the form of a symbol says: which kind it is, and which one spelling it gets."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import InvalidInputError
from app.core.share_symbols import share_symbol

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "cases" / "symbols.json"

#: Forms by the kind that the message must name.
NO_SHARES = {
    "option": [
        "AAPL  240621C00190000",
        "AAPL261218P00190000",
        "AAPL1 261218C00047500",
        "SPXW  261120P05000000",
        "msft261218c00400000",
        "F261218C00012000",
        "BRKB  261218C00400000",
        ".AAPL261218C190",
        "-AAPL261218C190",
        "O:AAPL261218C00190000",
        "AAPL 12/18/2026 190.00 C",
        "AAPL DEC 18 2026 190 CALL",
    ],
    "index": ["^GSPC", "^VIX", "^N225", "$SPX", "I:SPX", ".SPX"],
    "future": ["ES=F", "CLZ26.NYM", "GCG27.CMX", "/ES", "/ESZ26", "ESZ6", "CLZ26", "ES1!", "6EZ26"],
    "currency": ["EURUSD=X", "JPY=X", "EUR.USD", "EUR/USD", "GBP/JPY", "C:EURUSD", "EURUSD"],
    "ISIN": ["US0378331005", "IE00B4L5Y983", "de0007164600"],
    "FIGI": ["BBG000B9XRY4"],
    "CUSIP": ["037833100", "68389X105", "G0177J108"],
    "SEDOL": ["0263494"],
}
#: What is stored, and every spelling of it.
SPELLINGS = {
    "BRK-B": ["BRK.B", "BRK/B", "BRK B", "brk-b", " brk.b "],
    "HEI-A": ["HEI.A"],
    "BAC-PL": ["BAC PRL", "BAC.PR.L", "BAC-P-L", "BAC.PRL", "BAC/PRL", "BAC PR L", "BAC-PL", "BAC/PL", "BAC^L"],
    "ABC-WT": ["ABC WS", "ABC.WS", "ABC/WS", "ABC-WS", "ABC.WT", "ABC+"],
    "ABC-WTA": ["ABC.WS.A", "ABC WS A", "ABC-WTA"],
    "ABC-UN": ["ABC.U", "ABC/U", "ABC UN"],
    "ABC-RT": ["ABC RT", "ABC.RT"],
    "ABC-WI": ["ABC.WI"],
    "0700.HK": ["700.HK", "00700.HK", "0700.hk"],
    "0005.HK": ["5.HK"],
    "80700.HK": ["80700.HK"],
    "RCI-B.TO": ["RCI.B.TO", "RCI-B.TO"],
    "VOLV-B.ST": ["VOLV B.ST", "VOLV-B.ST"],
}
WRITTEN = [(stored, text) for stored, texts in SPELLINGS.items() for text in texts]
#: Looks like something else, and is a share's.
SHARES = [
    "AAPL",
    "F",
    "VOD.L",
    "7203.T",
    "NZC.V",
    "BMW.F",
    "AIR.PA",
    "CEZ.PR",
    "M&M.NS",
    "005930.KS",
    "BTC-USD",
    "ES",
    "CALL",
    "PUT",
    "C",
    "P",
    "ABCX-WT",
    "BEARX1",
    "INVRS1",
    "USDU",
    "A" * 32,
]


@pytest.mark.parametrize(("kind", "written"), [(kind, text) for kind, texts in NO_SHARES.items() for text in texts])
def test_what_is_no_share_is_refused_with_the_name_of_its_kind(kind: str, written: str) -> None:
    with pytest.raises(InvalidInputError, match=f"(?i){kind}"):
        share_symbol(written)


@pytest.mark.parametrize(
    ("stored", "written"), [(stored, text) for stored, texts in SPELLINGS.items() for text in texts]
)
def test_every_spelling_becomes_the_stored_one(stored: str, written: str) -> None:
    assert share_symbol(written) == stored
    assert share_symbol(stored) == stored


@pytest.mark.parametrize("symbol", SHARES)
def test_a_share_stays_as_it_is(symbol: str) -> None:
    assert share_symbol(symbol) == symbol


def test_a_wrong_check_digit_makes_no_isin() -> None:
    assert share_symbol("US0378331006") == "US0378331006"


@pytest.mark.skipif(not CASES.exists(), reason="needs ../shared/data/cases")
def test_the_published_cases_come_out_right() -> None:
    cases: list[dict[str, Any]] = json.loads(CASES.read_text())["cases"]
    for case in cases:
        if case["type"] == "spelling":
            assert {share_symbol(text) for text in case["written"]} == {case["stored"]}, case["id"]
        else:
            with pytest.raises(InvalidInputError) as refused:
                share_symbol(case["symbol"])
            assert any(word in str(refused.value).lower() for word in case["says"]), case["id"]
