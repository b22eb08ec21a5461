"""The contract document and Swagger UI, both served from here, so that they work offline."""

from importlib import resources
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from app.schemas.base import ProblemOut

TITLE: Final = "Margin risk service"
DESCRIPTION: Final = """
Who is short of margin, by how much, why, and how far everyone else is from a call.

Get a token from `POST /auth/token` (or press **Authorize**), then ask `GET /margin/{clientId}`. Every error is a
problem document (RFC 9457). Timestamps are UTC; money is in the account currency, exact to the cent.
"""
TAGS: Final = [
    {"name": "auth", "description": "Tokens: OAuth2 password flow, rotation, logout."},
    {"name": "users", "description": "Who may call the service; for admins."},
    {"name": "stocks", "description": "Prices, and where they come from."},
    {"name": "clients", "description": "Accounts, their loans and own rates."},
    {"name": "positions", "description": "What a client holds."},
    {"name": "margin", "description": "What a client must hold, and what it lacks."},
    {"name": "instruments", "description": "What the desk says of a symbol: leverage, marginable, own rate."},
    {"name": "health", "description": "Probes for whoever runs the service."},
]
_ASSETS: Final = "/docs/assets"
_FRAMEWORK_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Serve `/openapi.json` as this module writes it, and `/docs` without a network."""
    app.openapi = lambda: _document(app)  # type: ignore[method-assign] # FastAPI's documented way
    assets = StaticFiles(directory=str(resources.files("fastapi_swagger") / "resources"))
    app.mount(_ASSETS, assets, name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def swagger_ui() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=TITLE,
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
            swagger_ui_parameters={"persistAuthorization": True, "displayRequestDuration": True},
        )

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")


def _document(app: FastAPI) -> dict[str, Any]:
    """Return the document; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=TITLE,
            version=app.version,
            openapi_version=app.openapi_version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=[tag for tag in TAGS if tag["name"] in _used_tags(app)],
            servers=[{"url": "/", "description": "This server"}],
            contact={"name": "Margin risk service maintainers"},
            license_info={"name": "MIT", "identifier": "MIT"},
        )
        schemas = document["components"]["schemas"]
        for name in _FRAMEWORK_SCHEMAS:
            schemas.pop(name, None)
        problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs", {}) | {"Problem": problem}
        app.openapi_schema = document
    return app.openapi_schema


def _used_tags(app: FastAPI) -> set[str]:
    """Return the tags that some route has."""
    return {tag for route in app.routes for tag in getattr(route, "tags", ())}
