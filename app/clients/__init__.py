"""
Clients with their loan and their own rate.

Tables `client`, `margin`. Routes `/clients`. Loops: none.
Page: docs/architecture.md.
"""
