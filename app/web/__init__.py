"""
HTTP for every room: problem documents, etags, limits, middleware, OpenAPI, wire fields, shared parameters.

Page: docs/architecture.md.
"""
