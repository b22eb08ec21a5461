"""
The audit trail: an append-only hash chain of every change.

Tables `audit_entry`, `book_change` (by `recorder`; for prices by `stocks.intake`). Routes `/audit`. Loops: none.
Page: docs/architecture.md.
"""
