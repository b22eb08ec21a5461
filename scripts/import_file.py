"""What `scripts/import` runs: sends a file to the service, shows how far it is, prints the report."""

import argparse
import getpass
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import uuid4

import httpx
from tqdm import tqdm

_PIECE_BYTES: Final = 1 << 16
_CONTENT_TYPES: Final = {".csv": "text/csv", ".jsonl": "application/jsonl", ".ndjson": "application/jsonl"}
_RETRY_SECONDS: Final = (1, 2, 5, 10, 20)
_LONGEST_PAUSE_SECONDS: Final = 600
_SHOWN_ERRORS: Final = 50
_EPILOG: Final = """
columns (the first row, or the members of the first JSON object, names them):
  clients      id, name, loan, margin_requirement   (id and name, or one of them)
  positions    clientId (or client: a client's name), symbol, quantity, cost_basis
  instruments  symbol, name, currency, quote_type, leverage, marginable, house_rate

who you are: RISK_TOKEN, an access token; else RISK_USERNAME and RISK_PASSWORD; else you are asked.

exit codes: 0 stored (or checked without an error), 1 refused or rows left out, 2 wrong arguments or file,
3 the service did not answer or refused you.
"""


class _FailedError(Exception):
    """Ends the command; its arguments are what to say and the exit code."""


def main() -> None:
    """Import a file, and say what became of it."""
    options = _parse_arguments()
    try:
        with httpx.Client(base_url=options.url, timeout=httpx.Timeout(30, read=3600)) as http:
            _log_in(http)
            report = _import(http, options)
    except httpx.TransportError as error:
        _end(f"{options.url} does not answer: {error}", 3)
    except _FailedError as error:
        _end(*error.args)
    except KeyboardInterrupt:
        _end(f"interrupted; continue with --key {options.key}", 130)
    _print(report, show=options.errors)
    sys.exit(1 if report["error_count"] else 0)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/import",
        description="Import a file of clients, positions or instruments, whole or not at all: CSV (.csv) or JSON Lines"
        " (.jsonl, .ndjson), also compressed (.gz).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=["clients", "positions", "instruments"], help="what the rows are")
    parser.add_argument("file", type=Path, help="the file")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the service is (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="check everything, store nothing but the report")
    parser.add_argument(
        "--good-rows", action="store_true", help="store the rows without an error, leave out the others"
    )
    parser.add_argument("--keep", action="store_true", help="leave records that exist as they are")
    parser.add_argument(
        "--preset", choices=["ibkr", "schwab", "fidelity"], help="positions as this broker exports them"
    )
    parser.add_argument("--client-id", type=int, help="whose positions these are, where the file does not say so")
    parser.add_argument(
        "--column", action="append", default=[], metavar="OURS:THEIRS", help="a column by its name in the file"
    )
    parser.add_argument(
        "--key", default=str(uuid4()), help="name of this import: the same one again does nothing twice"
    )
    parser.add_argument(
        "--errors", type=int, default=_SHOWN_ERRORS, metavar="N", help="print at most N errors (default: %(default)s)"
    )
    options = parser.parse_args()
    if _content_type(options.file) is None:
        parser.error(f"{options.file}: must end with {', '.join(_CONTENT_TYPES)}, or that and .gz")
    if not options.file.is_file():
        parser.error(f"{options.file}: no such file")
    return options


def _content_type(file: Path) -> str | None:
    suffix = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    return _CONTENT_TYPES.get(suffix)


def _log_in(http: httpx.Client) -> None:
    """Let requests carry an access token: the given one, or a new one."""
    token = _given("RISK_TOKEN")
    if token is None:
        token = str(_checked(http.post("/auth/token", data=_password_form())).json()["access_token"])
    http.headers["Authorization"] = f"Bearer {token}"


@cache
def _password_form() -> dict[str, str]:
    """Return what logs in; whoever has to be asked is asked once."""
    try:
        username = _given("RISK_USERNAME") or input("User: ")
        password = _given("RISK_PASSWORD") or getpass.getpass()
    except EOFError:
        raise _FailedError("there is nobody to ask: set RISK_TOKEN, or RISK_USERNAME and RISK_PASSWORD", 2) from None
    return {"grant_type": "password", "username": username, "password": password}


def _given(name: str) -> str | None:
    return os.environ.get(name) or None  # noqa: TID251 - a client of the service, which has no settings


def _import(http: httpx.Client, options: argparse.Namespace) -> dict[str, Any]:
    """Send the file until the service takes it; each time under the same key, so it is imported once."""
    for seconds in (*_RETRY_SECONDS, None):
        wanted = 0
        try:
            response = _send_as_user(http, options)
        except httpx.TransportError:
            if seconds is None:
                raise
        else:
            if seconds is None or response.status_code not in {429, 503}:
                return dict(_checked(response).json())
            wanted = _wanted_seconds(response)
        assert seconds is not None, "the last attempt returns or raises"
        pause = max(seconds, wanted)
        print(f"no answer yet; again in {pause} s under the key {options.key}", file=sys.stderr)
        time.sleep(pause)
    raise AssertionError("unreachable")


def _wanted_seconds(response: httpx.Response) -> int:
    """Return how long the service wants to be left alone, at most ten minutes; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    return min(int(text), _LONGEST_PAUSE_SECONDS) if text.isdecimal() else 0


def _send_as_user(http: httpx.Client, options: argparse.Namespace) -> httpx.Response:
    """Send the file; where the token has expired meanwhile, log in and send it again."""
    response = _send(http, options)
    if response.status_code == httpx.codes.UNAUTHORIZED and _given("RISK_TOKEN") is None:
        _log_in(http)
        response = _send(http, options)
    return response


def _send(http: httpx.Client, options: argparse.Namespace) -> httpx.Response:
    """Send the file behind a progress bar, then wait for the report."""
    headers = {"Content-Type": str(_content_type(options.file)), "Idempotency-Key": options.key}
    if options.file.suffix == ".gz":
        headers["Content-Encoding"] = "gzip"
    size = options.file.stat().st_size
    with (
        options.file.open("rb") as file,
        tqdm(total=size, desc="sending", unit="B", unit_scale=True, disable=None) as bar,
        _ticking(bar),
    ):
        return http.post("/imports", params=_parameters(options), headers=headers, content=_pieces(file, bar))


def _parameters(options: argparse.Namespace) -> httpx.QueryParams:
    parameters: list[tuple[str, str | int | float | bool | None]] = [
        ("kind", options.kind),
        *(("column", pair) for pair in options.column),
    ]
    flags = {
        "dry_run": ("true", options.dry_run),
        "mode": ("good", options.good_rows),
        "existing": ("keep", options.keep),
    }
    parameters += [(name, value) for name, (value, is_set) in flags.items() if is_set]
    given = {"preset": options.preset, "clientId": options.client_id}
    parameters += [(name, value) for name, value in given.items() if value is not None]
    return httpx.QueryParams(parameters)


def _pieces(file: BinaryIO, bar: "tqdm[None]") -> Iterator[bytes]:
    """Yield the file, telling the bar."""
    while piece := file.read(_PIECE_BYTES):
        yield piece
        bar.update(len(piece))
    bar.set_description("checking and storing")


@contextmanager
def _ticking(bar: "tqdm[None]") -> Iterator[None]:
    """Let the bar's clock go on while the service works."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.5):
            bar.refresh()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _checked(response: httpx.Response) -> httpx.Response:
    """
    Return a good answer.

    Raises:
        _FailedError: the service refused; with what it says.
    """
    if response.is_success:
        return response
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError):
        detail = response.text[:200]
    code = 2 if response.status_code in {413, 422} else 3
    raise _FailedError(f"{response.status_code}: {detail}", code)


def _print(report: dict[str, Any], *, show: int) -> None:
    """Print what became of the file."""
    for error in report["errors"][:show]:
        value = "" if error["value"] is None else f" ({error['value']!r})"
        column = "" if error["column"] is None else f", {error['column']}"
        print(f"line {error['line']}{column}: {error['message']}{value}")
    if report["error_count"] > min(show, len(report["errors"])):
        print(f"... {report['error_count']} errors in all: GET /imports/{report['id']} has the first 10,000")
    verdict = {"stored": "Stored", "refused": "Refused, nothing is stored", "checked": "Checked, nothing is stored"}
    print(
        f"{verdict[report['state']]} (import {report['id']}): {report['row_count']} rows; {report['created']} new,"
        f" {report['updated']} changed, {report['kept']} kept as they were, {report['bad_rows']} bad,"
        f" {report['skipped']} skipped; {report['seconds']:.1f} s."
    )


def _end(message: str, code: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
