"""
Clients as columns of the engine, a few or all of them, and the resident book that follows every commit.

Tables: none of its own; it polls `book_change`. Routes: none. Loops: none.
Page: docs/architecture.md.
"""
