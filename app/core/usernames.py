"""What a user name may be, wherever it comes from."""

import re
from typing import Final

#: As typed. Letters, digits and `._@-`, beginning with a letter or digit, so that it is harmless as a file's name.
USERNAME_INPUT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
_STORED: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def normalise_username(text: str) -> str:
    """Return a user name as it is stored: trimmed, lower case."""
    return text.strip().lower()


def is_username(text: str) -> bool:
    """Return whether a normalised name can exist."""
    return _STORED.fullmatch(text) is not None
