"""
Files in: table `import`, `/imports`; one transaction a file, every error in one report.

Page: docs/architecture.md.
"""
