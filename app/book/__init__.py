"""
The book: clients as columns of the engine, a few or all; loops: none, the resident copy follows by being asked.

Page: docs/architecture.md.
"""
