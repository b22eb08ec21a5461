"""
What a symbol may look like: the one place that reads, normalises, spells and makes them.

Brokers write share classes, preferred shares and warrants in several ways; each has one form here, which is Yahoo
Finance's: `-B` a class, `-PL` a preferred share, `-WT` a warrant, `-UN` a unit, `-RT` a right, `-WI` when issued.
"""

import re
from typing import Final

from app.core.errors import InvalidInputError

#: A normalised symbol: 1 to 32 characters, as Yahoo writes them (`^GSPC`, `EURUSD=X`, `BRK-B`, `M&M.NS`, `0700.HK`).
SYMBOL_PATTERN = r"^(?:\^[A-Z0-9][A-Z0-9.&=-]{0,30}|[A-Z0-9][A-Z0-9.&=-]{0,31})$"
#: What a request may write for one: any broker's spelling. The service says what is wrong with others.
SYMBOL_INPUT_PATTERN = r"^[A-Za-z0-9^.$/&=+:_!*@# -]{1,32}$"

#: What the document says of a symbol in a body: what most are; other spellings are taken too.
SYMBOL_SCHEMA: Final = {"type": "string", "pattern": r"^[A-Za-z]{1,5}$", "maxLength": 32}
_SYMBOL = re.compile(SYMBOL_PATTERN)
_FX_SYMBOL = re.compile(r"[A-Z]{3}(?:[A-Z]{3})?=X")
_CURRENCY = re.compile(r"[A-Z]{3}")
SHOWN_CHARACTERS = 40

#: A dot and one of these letters is an exchange: Frankfurt, London, Tokyo, Toronto's venture exchange.
_EXCHANGE_LETTERS: Final = "FLTV"
_ROOT: Final = r"([A-Z]{1,6})"
#: Pattern and replacement of each spelling that differs from ours.
_SPELLINGS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"{_ROOT}(?:[ ./-]PR[ ./-]?|-P-|[ /]P[ /-]?|\^)([A-Z])", r"\1-P\2"),  # preferred, series L: BAC-PL
        (rf"{_ROOT}(?:[ ./-](?:WS|WT)[ ./-]?|\+[ .]?)([A-Z])?", r"\1-WT\2"),  # warrants: ABC-WT, ABC-WTA
        (rf"{_ROOT}[ ./-](?:UN|U|UT)", r"\1-UN"),  # units
        (rf"{_ROOT}[ ./-](?:RT|RTS)", r"\1-RT"),  # rights
        (rf"{_ROOT}[ ./-]WI", r"\1-WI"),  # when issued
        (rf"([A-Z]{{2,6}})[ /]([A-Z])|{_ROOT}\.(?![{_EXCHANGE_LETTERS}])([A-Z])", r"\1\3-\2\4"),  # a class: BRK-B
        (r"([A-Z0-9]{1,10})[ ./]([A-Z])\.([A-Z]{1,3})", r"\1-\2.\3"),  # a share class abroad: RCI-B.TO
    )
)
_HONG_KONG: Final = re.compile(r"([0-9]{1,5})\.HK")


def normalise_symbol(text: str) -> str:
    """
    Return the symbol in upper case and in its one spelling, without surrounding space.

    Raises:
        InvalidInputError: `text` is no symbol; the message names it.
    """
    symbol = _spelled(tidied(text))
    # upper() turns some letters outside ASCII into ASCII ones, which would then name another stock.
    if not text.isascii() or not _SYMBOL.fullmatch(symbol):
        raise InvalidInputError(f"{text[:SHOWN_CHARACTERS]!r} is not a stock symbol.")
    return symbol


def tidied(text: str) -> str:
    """Return a text in upper case, without surrounding space and with single spaces."""
    return re.sub(" +", " ", text.strip()).upper()


def _spelled(symbol: str) -> str:
    """Return a symbol of a share, in upper case, in the spelling in which it is stored."""
    hong_kong = _HONG_KONG.fullmatch(symbol)
    if hong_kong:
        return f"{int(hong_kong[1]):04d}.HK"
    for pattern, replacement in _SPELLINGS:
        found = pattern.fullmatch(symbol)
        if found:
            return found.expand(replacement)
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
