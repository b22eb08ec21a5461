"""What a caller expects of a record before it is changed; checked under the record's lock."""

from collections.abc import Callable
from typing import TypeVar

_Record = TypeVar("_Record")

#: Takes the record as it is, None where there is none; raises PreconditionError where that is not what was expected.
Check = Callable[[_Record | None], None]


def anything(_: object) -> None:
    """Expect nothing."""
