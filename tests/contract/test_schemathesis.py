"""schemathesis calls every operation of a real server with what the document allows, and with what it forbids."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest

from tests.contract.document import operations_of
from tests.server import PASSWORD, ROOT, Server

#: Generated cases per operation and phase; more for a longer run: RISK_TEST_EXAMPLES=200.
_EXAMPLES = os.environ.get("RISK_TEST_EXAMPLES", "5")  # noqa: TID251 - a wish of whoever runs the tests
#: Found in a server's log where a request failed through a fault of ours.
_FAULT = re.compile(r'"level": ?"(error|critical)"|Traceback')


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Run schemathesis; return its report, with the statuses of each operation, and its output."""
    folder = tmp_path_factory.mktemp("schemathesis")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},  # noqa: TID251 - for a process
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.contract.schemathesis_hooks",
        "SERVER_URL": server.url,
        "SERVER_PASSWORD": PASSWORD,
        "ANSWERS_FILE": str(folder / "answers"),
    }
    options = ["--max-examples", _EXAMPLES, "--seed", "1", "--generation-deterministic"]
    options += ["--continue-on-failure", "--no-color", "--workers", "1", "--report", "json"]
    options += ["--report-json-path", str(folder / "report.json")]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", *options]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (folder / "report.json").is_file(), result.stdout + result.stderr
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    statuses: defaultdict[str, set[int]] = defaultdict(set)
    for line in (folder / "answers").read_text().splitlines():
        name, status = line.split()
        statuses[name].add(int(status))
    return {**report, "statuses": statuses, "output": result.stdout + result.stderr}


def test_no_answer_breaks_the_contract(run: Mapping[str, Any], record_testsuite_property: Callable[..., None]) -> None:
    cases = run["test_cases"]["generated"]
    print(f"schemathesis: {cases} cases in {run['running_time']:.0f} s, {run['filtered']} filtered")  # noqa: T201
    record_testsuite_property("schemathesis_cases", cases)

    assert run["exit_code"] == 0, run["output"]
    assert (run["failures"], run["errors"]) == ([], [])


def test_every_operation_is_tested_and_succeeds_somewhere(run: Mapping[str, Any], operations: Sequence[str]) -> None:
    statuses = run["statuses"]
    reached = {name for name in operations if any(status < 300 for status in statuses[name])}
    print(f"schemathesis: {len(reached)} of {len(operations)} operations gave a 2xx")  # noqa: T201

    assert run["operations"]["tested"] == len(operations)
    assert len(reached) >= 0.95 * len(operations), {name: statuses[name] for name in set(operations) - reached}


def test_nothing_fails_through_a_fault_of_ours(run: Mapping[str, Any], server: Server) -> None:
    assert {name for name, statuses in run["statuses"].items() if statuses & {500, 502, 503, 504}} == set()
    assert [line for line in server.log.read_text().splitlines() if _FAULT.search(line)] == []


@pytest.fixture(scope="module")
def operations(server: Server) -> Sequence[str]:
    return [operation.id for operation in operations_of(httpx.get(f"{server.url}/openapi.json").json())]
