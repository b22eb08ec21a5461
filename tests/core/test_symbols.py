"""What is a symbol and what is not."""

import pytest

from app.core.errors import InvalidInputError
from app.core.symbols import fx_symbol, is_fx_symbol, normalise_symbol

#: One of each shape that Yahoo uses: index, pair, share class, future, crypto, exchange suffixes, ampersand, option.
REAL_SYMBOLS = (
    "AAPL",
    "F",
    "^GSPC",
    "EURUSD=X",
    "BRK-B",
    "GC=F",
    "BTC-USD",
    "0700.HK",
    "M&M.NS",
    "AZT.OL",
    "DX-Y.NYB",
    "AAPL261218C00250000",
    "A" * 32,
    "^" + "A" * 31,
)


@pytest.mark.parametrize("symbol", REAL_SYMBOLS)
def test_symbol_of_each_shape_stays_as_it_is(symbol: str) -> None:
    assert normalise_symbol(symbol) == symbol


def test_space_around_and_case_are_forgiven() -> None:
    assert normalise_symbol("  brk-b\n") == "BRK-B"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "^",
        "=X",
        "..",
        ".AAPL",
        "-AAPL",
        "A B",
        "AA PLUS",
        "AAPL,MSFT",
        "AAPL/../x",
        "AAPL?x=1",
        "AAPL%20",
        "A" * 33,
        "^" + "A" * 32,
        "AAPL\x00",
        "AAPL;",
        "ÄÖ",
        "straße",  # upper() makes STRASSE of it
        "\u0131bm",  # dotless i: upper() makes IBM of it
        "\uff21\uff21\uff30\uff2c",  # full-width letters
    ],
)
def test_text_that_is_no_symbol_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        normalise_symbol(text)

    assert repr(text[:40]) in str(caught.value)


def test_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidInputError) as caught:
        normalise_symbol("A" * 10_000)

    assert len(str(caught.value)) < 100


def test_fx_symbol_prices_the_currency_in_the_base() -> None:
    assert fx_symbol("EUR", "USD") == "EURUSD=X"
    assert normalise_symbol(fx_symbol("EUR", "USD")) == "EURUSD=X"


@pytest.mark.parametrize("symbol", ["EURUSD=X", "JPY=X"])
def test_currency_pairs_are_fx(symbol: str) -> None:
    assert is_fx_symbol(symbol)


@pytest.mark.parametrize("symbol", ["GC=F", "BTC-USD", "EURUSD", "AEURUSD=X", "EU=X"])
def test_other_symbols_are_not_fx(symbol: str) -> None:
    assert not is_fx_symbol(symbol)
