"""Settings of the replay: a base of the service's settings."""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, Field


class ReplaySettings(BaseModel):
    """What to replay, and how fast."""

    #: CSV of daily closes in account currency (plain or gzip): a date column, then one column for each symbol.
    replay_file: Path | None = None
    #: Rows a second at most; each refresh goes at most one row further.
    replay_pace: float = Field(default=1, ge=0.0001, le=1000)
    #: First and last day to replay; unset: the file's.
    replay_from: date | None = None
    replay_to: date | None = None
