"""
Ground without domain or I/O of its own: errors, logs, metrics, symbols, names, tasks, threads, limits.

Page: docs/architecture.md.
"""
