"""The rooms of `app/`, by rules that the import linter cannot hold; see docs/architecture.md."""

import ast
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app"
FILES = sorted(path for path in APP.rglob("*.py") if "migrations" not in path.parts)
ROOMS = sorted(path.name for path in APP.iterdir() if (path / "__init__.py").exists())
#: Whose URLs do not begin with the room's name.
PREFIXES = {"/health": "operations", "/metrics": "operations", "/ws": "events"}
#: May know FastAPI beside routes, deps and the room `web`.
KNOW_HTTP = {
    "app/composition.py",
    "app/fast_path.py",
    "app/events/sse_response.py",
    "app/events/wire.py",
    "app/events/websocket_routes.py",
    "app/idempotency/decorator.py",
    "app/operations/metrics_routes.py",
}
MAY_OPEN_ANY = {"app/composition.py", "app/leader.py", "app/fast_path.py"}
#: Words of ours that the field has others for.
GONE = re.compile(
    r"\bclass (Spares|Renewal|SharedReads|Turns|HotRoute|HotReads|Ticker|Beginning|Standing|Attention|LoadedBook)\b"
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(APP).parts[0]


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import of ours, and of FastAPI."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def prefixes_of(path: Path) -> Iterator[str]:
    """Yield the prefix of each router that a file makes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "APIRouter":
            yield from (str(ast.literal_eval(word.value)) for word in node.keywords if word.arg == "prefix")


def foreign(part: str) -> list[str]:
    """Return where a file imports the file `part` of another room."""
    found = []
    for path in FILES:
        for module, name in imports_of(path):
            parts = f"{module}.{name}".split(".")
            is_ours = len(parts) > 2 and parts[0] == "app" and parts[1] in ROOMS
            if is_ours and parts[2] == part and parts[1] != room_of(path):
                found.append(name_of(path))
    return found


def test_a_router_s_prefix_is_the_name_of_its_room() -> None:
    prefixes = [(path, prefix) for path in FILES for prefix in prefixes_of(path)]
    rooms = {prefix: PREFIXES.get(prefix, prefix[1:].replace("-", "_")) for _, prefix in prefixes}
    assert len(prefixes) >= 10
    assert [(name_of(path), prefix) for path, prefix in prefixes if rooms[prefix] != room_of(path)] == []


def test_http_is_known_to_routes_deps_and_few_others() -> None:
    knowing = {
        name_of(path)
        for path in FILES
        if room_of(path) != "web" and path.name not in {"routes.py", "deps.py"}
        for module, _ in imports_of(path)
        if module.split(".")[0] in {"fastapi", "starlette"}
    }
    assert knowing - KNOW_HTTP == set()


@pytest.mark.parametrize("part", ["routes", "monitor"])
def test_nobody_opens_another_room_s_routes_or_loops(part: str) -> None:
    assert set(foreign(part)) - MAY_OPEN_ANY == set()


def test_a_store_is_its_room_s_own() -> None:
    assert foreign("store") == []


def test_wire_formats_are_shared_between_wire_formats_alone() -> None:
    allowed = {"schemas.py", "explain_schemas.py", "routes.py"}  # routes answer with the forms of rooms below
    wrong = {
        name for name in foreign("schemas") if Path(name).name not in allowed and not name.startswith("app/files/")
    }
    assert wrong == set()


def test_what_is_underscored_stays_in_its_room() -> None:
    wrong = [
        (name_of(path), module, name)
        for path in FILES
        for module, name in imports_of(path)
        if module.startswith("app.") and re.search(r"(^|\.)_[a-z]", f"{module}.{name}")
    ]
    assert wrong == []


def test_no_class_name_occurs_in_two_rooms() -> None:
    rooms = defaultdict(set)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                rooms[node.name].add(room_of(path))
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}


def test_every_room_says_in_five_lines_what_it_owns() -> None:
    for room in set(ROOMS) - {"migrations"}:
        tree = ast.parse((APP / room / "__init__.py").read_text())
        text = ast.get_docstring(tree)
        assert text, room
        assert len(text.strip().splitlines()) <= 5, room
        if room not in {"files", "models"}:
            assert len(tree.body) == 1, f"{room} imports something"


def test_folders_files_and_functions_stay_small() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    folders = Counter(path.parent for path in FILES if path.name != "__init__.py")
    by_room: Counter[str] = Counter()
    for path, count in lines.items():
        by_room[room_of(path)] += count
    functions = [
        node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert {name_of(path): count for path, count in lines.items() if count > 300} == {}
    assert {name_of(folder): count for folder, count in folders.items() if count > 16 and folder.name != "engine"} == {}
    assert {room: count for room, count in by_room.items() if count > 0.15 * by_room.total()} == {}
    assert statistics.median(functions) <= 8


def test_words_that_the_field_has_others_for_do_not_come_back() -> None:
    assert {name_of(path) for path in FILES if GONE.search(path.read_text())} == set()
