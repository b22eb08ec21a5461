"""
Corporate actions: what the desk decides, and how splits reach every holder.

Tables `corporate_action`, `split`. Routes `/corporate-actions`. Loops: none; `stocks.monitor` and `leader` call it.
Page: docs/architecture.md.
"""
