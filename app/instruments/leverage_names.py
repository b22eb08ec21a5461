"""What the name of a fund says of its leverage, where nobody has set it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

LeverageSource = Literal["name", "unknown", "none"]

_LARGEST: Final = 10
#: 2x, -1X, 1.25x, (3x), +200 %.
_MULTIPLE: Final = re.compile(r"(?<![\w.])[-+\u2212]?([0-9]{1,2}(?:\.[0-9]{1,2})?) ?[x\u00d7](?![a-z0-9])")
_PERCENT: Final = re.compile(r"(?<![\w.])[-+\u2212]?([123](?:[0-9]0|[0-9]5)) ?%")
_WORD_MULTIPLE: Final = re.compile(r"\b(double|triple)\b[ -]+(?:long|short|inverse|leveraged|bull|bear)\b")
#: A duration, a kind of debt or a strategy, no direction and no multiple.
_NOT_LEVERAGED: Final = re.compile(
    r"\b(?:loans?|floating[ -]rate|bank[ -]loan"
    r"|short[ -](?:term|duration|maturity|dated|bond|treasury bond|income|credit|municipal|muni|government|corporate)"
    r"|(?:long|equity)[ /-]+short|ultra dividend"
    r"|ultra[ -]?short\b.*\b"
    r"(?:income|bonds?|duration|maturity|municipal|muni|government|corporate|money|credit|cash))\b"
)
_TRIPLE: Final = re.compile(r"\bultra ?pro\b")
_DOUBLE: Final = re.compile(r"\b(?:ultra|ultrashort)\b")
_INVERSE: Final = re.compile(r"\b(?:inverse|short|bear)\b")
_LEVERAGED: Final = re.compile(r"\b(?:leveraged?|geared)\b")


@dataclass(frozen=True, slots=True)
class Leverage:
    """The size of a fund's leverage, at least 1 where something says so, and what says it."""

    size: Decimal
    source: LeverageSource


NONE: Final = Leverage(Decimal(1), "none")


def leverage_of(name: str | None, quote_type: str | None, *, unknown: Decimal) -> Leverage:
    """
    Return what a fund's name says of its leverage.

    A number is used as it stands, its sign aside: direction changes no requirement. ProShares' family words count as
    theirs do: Ultra and UltraShort twice, UltraPro three times. Inverse, short or bear alone is one to one.

    Args:
        name: as the source has it; None = not known.
        quote_type: the source's kind; only what it calls an ETF is a fund of this sort.
        unknown: the size of a fund that calls itself leveraged and does not say how much.
    """
    if name is None or quote_type != "ETF":
        return NONE
    text = name.lower()
    size = _multiple(text)
    if size is not None:
        return Leverage(size, "name")
    if _NOT_LEVERAGED.search(text):
        return NONE
    for pattern, leverage in (
        (_TRIPLE, Leverage(Decimal(3), "name")),
        (_DOUBLE, Leverage(Decimal(2), "name")),
        (_LEVERAGED, Leverage(unknown, "unknown")),
        (_INVERSE, Leverage(Decimal(1), "name")),
    ):
        if pattern.search(text):
            return leverage
    return NONE


def _multiple(text: str) -> Decimal | None:
    """Return the number that a name in lower case gives, None if it gives none that can be one."""
    found = _MULTIPLE.search(text)
    if found and 0 < Decimal(found[1]) <= _LARGEST:
        return Decimal(found[1])
    percent = _PERCENT.search(text)
    if percent and _LEVERAGED.search(text):
        return Decimal(percent[1]) / 100
    word = _WORD_MULTIPLE.search(text)
    return None if word is None else Decimal({"double": 2, "triple": 3}[word[1]])
