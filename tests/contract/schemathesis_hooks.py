"""What schemathesis, a process of its own, loads before it runs: tokens, users that stay, failures that are none."""

import json
import math
import os
import re
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import requests
import schemathesis
from schemathesis.core.failures import Failure

_URL: Final = os.environ["SERVER_URL"]  # noqa: TID251 - how the test tells this process
_PASSWORD: Final = os.environ["SERVER_PASSWORD"]  # noqa: TID251 - likewise
_ANSWERS: Final = Path(os.environ["ANSWERS_FILE"])  # noqa: TID251 - likewise
#: The admin, who calls, and the users who log in and out: no case may change them; it changes the last one instead.
_KEPT_USERS: Final = {1.0, 2.0, 3.0}
_CHANGED_USER: Final = 4
#: Whom the other cases speak of; the last client, who has nothing, is deleted instead.
_KEPT_CLIENTS: Final = {1.0, 2.0, 3.0}
_DELETED_CLIENT: Final = 4
#: Gets the events of the seeded clients.
_KEPT_WEBHOOK: Final = 1
#: Held by the seeded clients, whose margin needs its price; another one may be forgotten.
_KEPT_STOCK: Final = "AAPL"
_FORGOTTEN_STOCK: Final = "NVDA"
#: Of every kind one that exists, by path parameter.
_THERE: Final = {"clientId": 1, "importId": 1, "symbol": _KEPT_STOCK, "webhookId": _KEPT_WEBHOOK}
#: What a number or a symbol must be beyond what JSON Schema says without rounding errors of its own.
_RULES: Final = re.compile(
    r"decimal places|significant digits|out of( its)? bounds|account too large|is a currency pair|lies in the past"
    # an inline policy, whose members depend on each other
    r"|a policy asks something|give either|concentration raises|stand in rising order|goes with the other one"
    # where a webhook may point
    r"|^The URL |^The name |is not a public address|^Port "
)
#: A case is typed by what it holds before it is sent, which is of no concern here.
_Case = schemathesis.Case[Any]

_turns = count()


class _Login:
    """Log in; schemathesis comes back when a token is refused, since other cases end tokens."""

    username = "admin"

    def get(self, _case: _Case, _context: schemathesis.AuthContext) -> str:
        """Return a new access token."""
        return str(_log_in(self.username)["access_token"])

    def set(self, case: _Case, data: str, _context: schemathesis.AuthContext) -> None:
        """Send it."""
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.auth().skip_for(operation_id=["logout", "create_token", "refresh_token"])
class Admin(_Login):
    """Calls everything but logout."""


@schemathesis.auth(refresh_interval=None).apply_to(operation_id="logout")
class Leaver(_Login):
    """Logs out again and again, with a new token each time."""

    username = "leaver"


@schemathesis.serializer("text/csv", "application/jsonl")
def as_file(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Send a file as it is."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: _Case, kwargs: dict[str, Any]) -> None:
    """Keep the users that this run needs; make good data good beyond what the document can say."""
    name = case.operation.definition.raw["operationId"]
    if case.method == "GET" and _is_positive(case) and next(_turns) % 2 == 0:
        case.path_parameters |= {key: value for key, value in _THERE.items() if key in case.path_parameters}
    _spare(name, case)
    if name in {"create_token", "refresh_token"} and _is_well_formed(case) and next(_turns) % 2 == 0:
        if name == "create_token":
            case.body = {"grant_type": "password", "username": "comer", "password": _PASSWORD}
        else:
            case.body = {"refresh_token": _log_in("comer")["refresh_token"]}
    elif _is_well_formed(case):
        case.body = _in_hundredths(case.body)
    if name == "create_webhook" and _is_well_formed(case) and next(_turns) % 2 == 0:
        case.body = {"url": "http://127.0.0.1:65535/"}
    _expect_what_is_there(case)
    _send_a_file(case)
    if name == "follow_events" and (_is_positive(case) or "follow" not in case.query):
        case.query["follow"] = "false"  # it would never end


def _spare(name: str, case: _Case) -> None:
    """Turn what would change or delete a record that this run needs to another one."""
    if name == "update_user" and _as_number(case.path_parameters.get("userId")) in _KEPT_USERS:
        case.path_parameters["userId"] = _CHANGED_USER
    if name == "delete_client" and _as_number(case.path_parameters.get("clientId")) in _KEPT_CLIENTS:
        case.path_parameters["clientId"] = _DELETED_CLIENT
        case.headers.pop("If-Match", None)
    if name == "delete_webhook" and _as_number(case.path_parameters.get("webhookId")) == _KEPT_WEBHOOK:
        case.path_parameters["webhookId"] = _KEPT_WEBHOOK + 1
    if name == "forget_stock" and case.path_parameters.get("symbol") == _KEPT_STOCK:
        case.path_parameters["symbol"] = _FORGOTTEN_STOCK


def _send_a_file(case: _Case) -> None:
    """Import what a file may hold: no schema says it."""
    if case.operation.definition.raw["operationId"] == "create_import" and _is_positive(case):
        case.query, case.media_type, case.body = {"kind": "clients"}, "text/csv", "id,loan\n1,1000\n"


@schemathesis.hook
def after_call(_context: schemathesis.HookContext, case: _Case, response: schemathesis.Response) -> None:
    """Note which operation gave which status."""
    with _ANSWERS.open("a") as answers:
        answers.write(f"{case.operation.definition.raw['operationId']} {response.status_code}\n")


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext,
    failure: Failure,
    case: _Case,
    response: schemathesis.Response,
) -> bool:
    """Return whether a failure is one: not where schemathesis cannot know that the data it made is wrong."""
    if failure.code != "ST202":  # valid data refused
        return True
    if response.status_code == requests.codes.precondition_failed:
        return False  # a tag that it made up
    if "None" in (case.path_parameters or {}).values() or None in (case.path_parameters or {}).values():
        return False  # a link that it guessed from a member that is null: it sends the word "None" for an id
    problem = json.loads(response.content)
    if problem.get("status") != requests.codes.unprocessable:
        return True
    messages = [fault["msg"] for fault in problem.get("errors", ())] or [problem["detail"]]
    return not all(_RULES.search(message) for message in messages)


def _expect_what_is_there(case: _Case) -> None:
    """Where data is good, make each request another one, as keys are to be used, and half of the made-up tags none."""
    if not _is_positive(case):
        return
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    if next(_turns) % 2 == 0:
        for condition in ("If-Match", "If-None-Match"):
            case.headers.pop(condition, None)


def _log_in(username: str) -> dict[str, Any]:
    """Return tokens of a user of this run."""
    form = {"grant_type": "password", "username": username, "password": _PASSWORD}
    response = requests.post(f"{_URL}/auth/token", data=form, timeout=10)
    response.raise_for_status()
    tokens: dict[str, Any] = response.json()
    return tokens


def _in_hundredths(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return data with numbers that every column can hold: at most 2 decimals, unless that leaves nothing."""
    if isinstance(value, dict):
        return {name: _in_hundredths(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_in_hundredths(member) for member in value]
    return math.trunc(value * 100) / 100 or value if isinstance(value, float) else value


def _as_number(value: object) -> float | None:
    """Return the number that the service may read from a path: also from `2.0`."""
    try:
        return float(str(value))
    except ValueError:
        return None


def _is_well_formed(case: _Case) -> bool:
    """Return whether a case holds only data that fits the document."""
    return _is_positive(case) and isinstance(case.body, dict)


def _is_positive(case: _Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive
