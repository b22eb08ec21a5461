"""
The audit trail: an append-only hash chain of every change.

Tables `audit_entry`, `book_change` (both written by `recorder`). Routes `/audit`. Loops: none.
Page: docs/architecture.md.
"""
