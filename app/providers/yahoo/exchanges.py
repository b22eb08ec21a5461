"""Trading calendars of the exchanges that Yahoo names."""

from collections.abc import Mapping
from typing import Final

#: By Yahoo's code of an exchange, the name of its calendar in `exchange_calendars`.
CALENDARS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("NMS", "NGM", "NCM", "NYQ", "PCX", "ASE", "BTS", "PNK", "OQB", "OQX", "NAS", "NYS"), "XNYS"),
    **dict.fromkeys(("GER", "FRA", "MUN", "STU", "DUS", "HAM", "BER"), "XETR"),
    **dict.fromkeys(("LSE", "IOB"), "XLON"),
    **dict.fromkeys(("TOR", "VAN", "CNQ", "NEO"), "XTSE"),
    **dict.fromkeys(("NSI", "BSE"), "XBOM"),
    "AMS": "XAMS", "ASX": "XASX", "BRU": "XBRU", "BUE": "XBUE", "CPH": "XCSE", "EBS": "XSWX", "HEL": "XHEL",
    "HKG": "XHKG", "ISE": "XDUB", "IST": "XIST", "JKT": "XIDX", "JNB": "XJSE", "JPX": "XTKS", "KLS": "XKLS",
    "KSC": "XKRX", "LIS": "XLIS", "MCE": "XMAD", "MEX": "XMEX", "MIL": "XMIL", "NZE": "XNZE", "OSL": "XOSL",
    "PAR": "XPAR", "SAO": "BVMF", "SES": "XSES", "SET": "XBKK", "SHH": "XSHG", "SHZ": "XSHG", "STO": "XSTO",
    "TAI": "XTAI", "VIE": "XWBO", "WSE": "XWAR", "CCC": "24/7", "CCY": "24/5",
}  # fmt: skip
