"""
Files in: one transaction a file, every error in one report.

Tables `import`. Routes `/imports`. Loops: none.
Page: docs/architecture.md.
"""
