"""
HTTP for every room: problem documents, etags, limits, middleware, OpenAPI, wire fields, shared parameters.

Tables: none. Routes: none. Loops: none.
Page: docs/architecture.md.
"""
