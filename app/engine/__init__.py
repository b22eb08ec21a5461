"""
Margin arithmetic on arrays: columns in, columns out; no clock, log, database or configuration.

Tables: none. Routes: none. Loops: none.
Page: docs/architecture.md.
"""
