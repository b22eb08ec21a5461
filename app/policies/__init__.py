"""
Margin policies as data: files in TOML, and the one form that reads them, from a file or from a request.

Tables: none. Routes: none. Loops: none.
Page: docs/architecture.md.
"""
