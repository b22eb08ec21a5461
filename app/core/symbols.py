"""What a symbol may look like: the one place that reads, normalises and makes them."""

import re

from app.core.errors import InvalidInputError

#: A normalised symbol: 1 to 32 characters, as Yahoo writes them (`^GSPC`, `EURUSD=X`, `BRK-B`, `M&M.NS`, `0700.HK`).
SYMBOL_PATTERN = r"^(?:\^[A-Z0-9][A-Z0-9.&=-]{0,30}|[A-Z0-9][A-Z0-9.&=-]{0,31})$"
#: The same before normalisation, for the schemas of requests.
SYMBOL_INPUT_PATTERN = SYMBOL_PATTERN.replace("A-Z", "A-Za-z")

_SYMBOL = re.compile(SYMBOL_PATTERN)
_FX_SYMBOL = re.compile(r"[A-Z]{3}(?:[A-Z]{3})?=X")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SHOWN_CHARACTERS = 40


def normalise_symbol(text: str) -> str:
    """
    Return the symbol without surrounding space, in upper case.

    Raises:
        InvalidInputError: `text` is no symbol; the message names it.
    """
    symbol = text.strip().upper()
    # upper() turns some letters outside ASCII into ASCII ones, which would then name another stock.
    if not text.isascii() or not _SYMBOL.fullmatch(symbol):
        raise InvalidInputError(f"{text[:_SHOWN_CHARACTERS]!r} is not a stock symbol.")
    return symbol


def fx_symbol(currency: str, base: str) -> str:
    """Return the symbol whose price is what one unit of `currency` costs in `base`: `EURUSD=X`."""
    assert _CURRENCY.fullmatch(currency), currency
    assert _CURRENCY.fullmatch(base), base
    assert currency != base, "a currency needs no rate to itself"
    return f"{currency}{base}=X"


def is_fx_symbol(symbol: str) -> bool:
    """Return whether the normalised `symbol` is a currency pair (`EURUSD=X`, and `JPY=X`, short for `USDJPY=X`)."""
    return _FX_SYMBOL.fullmatch(symbol) is not None
