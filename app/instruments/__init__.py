"""
Instruments: table `instrument`, `/instruments`; leverage, marginability, the firm's own rate.

Page: docs/architecture.md.
"""
