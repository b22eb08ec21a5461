"""
Which symbols can be a share's or a fund's.

Options, futures, indices, currency pairs, ISINs and CUSIPs are written where a share's symbol is asked for. What has
the form of one of these is refused with its kind's name; nothing is looked up.

Sources: Options Symbology Initiative (OCC, 2010: root, yymmdd, C or P, strike in thousandths); ISO 6166 (ISIN, check
digit by Luhn); ANSI X9.6 (CUSIP); CME Group month codes (F to Z).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from app.core.errors import InvalidInputError
from app.core.symbols import SHOWN_CHARACTERS, normalise_symbol, tidied

#: Currencies that are traded against each other often enough to be taken for a pair where two stand together.
_CURRENCIES: Final = (
    "AUD|BRL|CAD|CHF|CNH|CNY|CZK|DKK|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|SEK|SGD|TRY|TWD|USD|ZAR"
)
#: Roots of futures that are written without the suffix of an exchange; no share of these letters has a digit.
_FUTURES: Final = (
    "ES|NQ|YM|RTY|MES|MNQ|MYM|M2K|CL|MCL|NG|RB|HO|BZ|GC|MGC|SI|HG|PL|PA|ZB|UB|ZN|TN|ZF|ZT|ZQ|SR3|GE|ZC|ZS|ZW|ZL|ZM|KE|"
    "HE|LE|GF|CC|CT|KC|SB|OJ|6A|6B|6C|6E|6J|6M|6N|6S|DX|VX|BTC|ETH|NKD"
)
_FUTURE_EXCHANGES: Final = "NYM|CME|CBT|CMX|NYB|CEC|CFE|ICE|IFEU|EUREX|EUX|SGX|KBT|NYMEX|CBOT|COMEX"

_OPTION: Final = re.compile(
    r"(?:O:|[.-])?[A-Z]{1,6}[0-9]?[ _]*[0-9]{6}[ ]?[CP][ ]?[0-9]{1,8}(?:\.[0-9]+)?"  # OCC's, and short forms of it
    r"|[A-Z]{1,6} .*[0-9].* (?:C|P|CALL|PUT)|[A-Z]{1,6} .*\b(?:CALL|PUT)\b.*"  # AAPL 12/18/2026 190.00 C
)
_INDEX: Final = re.compile(r"[\^$][A-Z0-9][A-Z0-9.&-]*|I:[A-Z0-9]+|\.[A-Z]{3,6}")
_FUTURE: Final = re.compile(
    r"[A-Z0-9]{1,12}=F|/[A-Z0-9]{1,8}(?:[.:][A-Z]+)?|[A-Z0-9]{1,4}[0-9]!"
    rf"|[A-Z0-9]{{1,4}}[FGHJKMNQUVXZ](?:[0-9]{{1,2}}|20[0-9]{{2}})\.(?:{_FUTURE_EXCHANGES})"
    rf"|(?:{_FUTURES}) ?[FGHJKMNQUVXZ](?:[0-9]{{1,2}}|20[0-9]{{2}})"
)
_CURRENCY: Final = re.compile(rf"[A-Z]{{3,6}}=X|C:[A-Z]{{6}}|(?:{_CURRENCIES})[./ -]?(?:{_CURRENCIES})")
_ISIN: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_FIGI: Final = re.compile(r"BBG[A-Z0-9]{8}[0-9]")
_CUSIP: Final = re.compile(r"(?:[0-9]{3}[A-Z0-9]{3}|[A-Z][0-9]{4}[A-Z0-9])[A-Z0-9*@#]{2}[0-9]")
_SEDOL: Final = re.compile(r"[0-9]{7}")


@lru_cache(maxsize=1 << 16)
def share_symbol(text: str) -> str:
    """
    Return the form in which a share's or a fund's symbol is stored, from any that brokers write.

    Raises:
        InvalidInputError: it is no symbol, or its form is that of something else, which the message names.
    """
    kind = _kind_of(tidied(text))
    if kind is not None:
        raise InvalidInputError(f"{text.strip()[:SHOWN_CHARACTERS]!r} is {kind}; only shares and funds are held here.")
    return normalise_symbol(text)


def _kind_of(text: str) -> str | None:
    """Return what a text is the symbol or the number of, where that is no share; None where it may be one."""
    return next((kind for kind, is_one in _KINDS if is_one(text)), None)


def _is_isin(text: str) -> bool:
    """Return whether a text is an ISIN whose check digit fits (Luhn over letters as 10 to 35)."""
    if not _ISIN.fullmatch(text):
        return False
    digits = "".join(str(int(character, 36)) for character in text)
    return sum(_digit_sum(int(digit) << position % 2) for position, digit in enumerate(reversed(digits))) % 10 == 0


def _is_cusip(text: str) -> bool:
    """Return whether a text is a CUSIP whose check digit fits."""
    if not _CUSIP.fullmatch(text):
        return False
    values = ["0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#".index(character) for character in text[:8]]
    total = sum(_digit_sum(value << position % 2) for position, value in enumerate(values))
    return (10 - total % 10) % 10 == int(text[8])


def _is_sedol(text: str) -> bool:
    """Return whether a text is a SEDOL of digits whose check digit fits."""
    weights = (1, 3, 1, 7, 3, 9, 1)
    return bool(_SEDOL.fullmatch(text)) and sum(map(int.__mul__, map(int, text), weights)) % 10 == 0


def _digit_sum(value: int) -> int:
    return sum(divmod(value, 10))


#: By name, in the order in which they are tried.
_KINDS: Final[tuple[tuple[str, Callable[[str], object]], ...]] = (
    ("an option", _OPTION.fullmatch),
    ("an index", _INDEX.fullmatch),
    ("a future", _FUTURE.fullmatch),
    ("a currency pair (FX)", _CURRENCY.fullmatch),
    ("an ISIN, which is not looked up: give the symbol", _is_isin),
    ("a FIGI, which is not looked up: give the symbol", _FIGI.fullmatch),
    ("a CUSIP, which is not looked up: give the symbol", _is_cusip),
    ("a SEDOL, which is not looked up: give the symbol", _is_sedol),
)
