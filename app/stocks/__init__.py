"""
Prices of stocks and FX pairs: tables `market_data`, `price_history`, `/stocks`; loop: `monitor.Refresher`.

Page: docs/architecture.md.
"""
