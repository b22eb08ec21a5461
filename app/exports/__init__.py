"""
Files out: one snapshot of the database, in the form that an import takes.

Tables: none. Routes `/exports`. Loops: none.
Page: docs/architecture.md.
"""
