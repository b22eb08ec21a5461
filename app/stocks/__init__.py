"""
Prices of stocks and FX pairs: asked, judged, stored, aged, read.

Tables `market_data`, `price_history`. Routes `/stocks`. Loops `monitor.Refresher`, which `app.leader` runs.
Page: docs/architecture.md.
"""
