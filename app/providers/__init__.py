"""
Market data sources behind one Protocol (`types`): a folder a vendor, a registry that knows them by name.

Tables: none. Routes: none. Loops: none.
Page: docs/architecture.md.
"""
