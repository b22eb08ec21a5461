"""
Stock splits, and how they reach every holder.

Tables `split`. Routes: none. Loops: none; `stocks.monitor` applies late ones.
Page: docs/architecture.md.
"""
