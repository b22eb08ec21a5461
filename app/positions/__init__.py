"""
Positions and trades.

Tables `position`. Routes `/positions`. Loops: none.
Page: docs/architecture.md.
"""
