"""Read `/openapi.json` the way a developer does: by operation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options", "trace"})
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Body:
    """What an operation takes."""

    media_type: str
    #: As the document shows it; None if it does not.
    example: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    #: What the document says of it.
    spec: Mapping[str, Any]
    #: The document's schemas by name.
    schemas: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Return its operationId."""
        name: str = self.spec["operationId"]
        return name

    @property
    def statuses(self) -> set[int]:
        """Return every status that it documents."""
        return {int(status) for status in self.spec["responses"]}

    @property
    def successes(self) -> set[int]:
        """Return the documented statuses below 300."""
        return {status for status in self.statuses if status < 300}

    @property
    def is_guarded(self) -> bool:
        """Return whether it asks for a token."""
        return bool(self.spec.get("security"))

    def parameters(self, place: str) -> set[str]:
        """Return the names of its parameters in `path`, `query` or `header`."""
        return {parameter["name"] for parameter in self.spec.get("parameters", ()) if parameter["in"] == place}

    def required_query(self) -> dict[str, str]:
        """Return an example of each query parameter that must be there."""
        parameters = [parameter for parameter in self.spec.get("parameters", ()) if parameter["in"] == "query"]
        return {parameter["name"]: parameter["example"] for parameter in parameters if parameter["required"]}

    def body(self) -> Body | None:
        """Return what it takes, None where it takes nothing."""
        if "requestBody" not in self.spec:
            return None
        media_type, media = next(iter(self.spec["requestBody"]["content"].items()))
        schema = media["schema"]
        schema = schema["oneOf"][0] if "oneOf" in schema else schema
        schema = self.schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        return Body(media_type, media.get("example") or schema.get("examples", [None])[0])


def operations_of(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield every operation, none excepted."""
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method in _METHODS & methods.keys():
            yield Operation(method=method.upper(), path=path, spec=methods[method], schemas=schemas)
