"""Recorded daily closes, replayed as if they came in now."""
