"""
Ground without a domain: errors, logs, metrics, symbols, user names, tasks, threads, limits.

Tables: none. Routes: none. Loops: none.
Page: docs/architecture.md.
"""
