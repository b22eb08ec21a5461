"""The contract document and Swagger UI, both served from here, so that they work offline."""

from importlib import resources
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import JsonValue
from starlette.routing import compile_path
from starlette.staticfiles import StaticFiles

from app.web.fields import ProblemOut

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
    {"name": "corporate actions", "description": "Splits and what only looks like one, for the desk to decide."},
    {"name": "clients", "description": "Accounts, their loans and own rates."},
    {"name": "positions", "description": "What a client holds."},
    {"name": "margin", "description": "What a client must hold, and what it lacks."},
    {"name": "margin calls", "description": "Case files: who has to bring what until when, and how it was met."},
    {"name": "instruments", "description": "What the desk says of a symbol: leverage, marginable, own rate."},
    {"name": "imports", "description": "Files in: clients, positions and instruments, whole or not at all."},
    {"name": "exports", "description": "Files out, as an import takes them."},
    {"name": "events", "description": "The stream: what happens, as it happens."},
    {"name": "webhooks", "description": "Events pushed to a URL, signed; for admins."},
    {"name": "audit", "description": "Who changed what, and whether anybody changed that; for admins."},
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


def allowed_methods(request: Request) -> str:
    """Return the methods of the requested path, for `Allow`; of two templates that match, the more concrete counts."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    matching = [path for path in paths if compile_path(path)[0].match(request.url.path)]
    if not matching:
        return ""
    return ", ".join(sorted(method.upper() for method in paths[min(matching, key=lambda path: path.count("{"))]))


def _document(app: FastAPI) -> dict[str, Any]:
    """Return the document; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=TITLE,
            version=app.version,
            openapi_version=app.openapi_version,
            description=DESCRIPTION,
            routes=app.routes,
            servers=[{"url": "/", "description": "This server"}],
            contact={"name": "Margin risk service maintainers"},
            license_info={"name": "MIT", "identifier": "MIT"},
        )
        schemas = document["components"]["schemas"]
        for name in _FRAMEWORK_SCHEMAS:
            schemas.pop(name, None)
        problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs", {}) | {"Problem": problem}
        operations = [operation for path in document["paths"].values() for operation in path.values()]
        used_tags = {tag for operation in operations for tag in operation["tags"]}
        document["tags"] = [tag for tag in TAGS if tag["name"] in used_tags]
        for schema in schemas.values():
            for example in schema.get("examples", ()):
                _restore_nulls(example, schema, schemas)
        for operation in operations:
            _add_examples(operation, schemas)
        app.openapi_schema = document
    return app.openapi_schema


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Show each JSON answer whole, from the examples of its schemas; fill in what a call must name."""
    for parameter in operation.get("parameters", ()):
        if parameter["required"] and parameter["schema"].get("examples"):
            parameter.setdefault("example", parameter["schema"]["examples"][0])
    for response in operation["responses"].values():
        media = response.get("content", {}).get("application/json")
        example = _example(media["schema"], schemas) if media else None
        if example is not None:
            media.setdefault("example", example)


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> JsonValue:
    """Return what a value of this schema looks like; None where no example says it."""
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        example: JsonValue = schema["examples"][0]
        return example
    if schema.get("type") == "array":
        item = _example(schema["items"], schemas)
        return None if item is None else [item]
    if schema.get("type") == "object":
        members = {name: _example(member, schemas) for name, member in schema.get("properties", {}).items()}
        return None if None in members.values() else members or None
    return None


def _restore_nulls(value: JsonValue, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Put the nulls of required members back into an example: FastAPI drops them from its document."""
    for option in (_resolved(option, schemas) for option in schema.get("anyOf", [schema])):
        if isinstance(value, list) and "items" in option:
            for item in value:
                _restore_nulls(item, option["items"], schemas)
        elif isinstance(value, dict) and "properties" in option:
            value |= {name: None for name in option.get("required", ()) if name not in value}
            for name in value.keys() & option["properties"].keys():
                _restore_nulls(value[name], option["properties"][name], schemas)


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return what a schema refers to, or itself."""
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
