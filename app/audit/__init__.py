"""
Audit trail: table `audit_entry`, the hash chain over it, its recorder (which also writes `book_change`), `/audit`.

Page: docs/architecture.md.
"""
