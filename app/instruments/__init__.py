"""
Instruments: leverage, marginability, the firm's own rate.

Tables `instrument`. Routes `/instruments`. Loops: none.
Page: docs/architecture.md.
"""
