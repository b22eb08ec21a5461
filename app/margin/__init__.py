"""
Margin: `/margin`; status, explanation, simulation, stress, the page of the book, the policy on record.

Page: docs/architecture.md.
"""
