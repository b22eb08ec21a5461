"""
Margin of a client and of the book: status, explanation, simulation, stress, the policy on record.

Tables: none. Routes `/margin`. Loops: none.
Page: docs/architecture.md.
"""
