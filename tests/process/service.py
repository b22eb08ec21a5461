"""The two commands as processes of their own, and what is left of them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server import ADMIN, PASSWORD, ROOT, SECRET, Server, free_port, wait_until_ready

__all__ = ["ADMIN", "PASSWORD", "SECRET", "Server", "free_port"]

#: No price source can be reached through it, and finding that out takes no time.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a command; `settings` replace what most tests want."""
    usual = {
        "PATH": os.defpath,
        "RISK_DATA_DIR": str(data_dir),
        "RISK_ADMIN_PASSWORD": PASSWORD,
        "RISK_SECRET_KEY": SECRET,
        "RISK_DATABASE_WAIT_SECONDS": "0",
        **OFFLINE,
        "XDG_CACHE_HOME": str(data_dir.parent / "cache"),
    }
    return usual | settings


@contextmanager
def service(data_dir: Path, *arguments: str, **settings: str) -> Iterator[Server]:
    """Run `python main.py` until the block ends, however it ends there; ready when the block begins."""
    server = launch(data_dir, *arguments, **settings)
    try:
        wait_until_ready(server, seconds=60)
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(20)
        finally:
            server.process.kill()


def launch(data_dir: Path, *arguments: str, **settings: str) -> Server:
    """Start `python main.py`; what it says is in `log`, what it logs in `log` with the suffix `.err`."""
    port = settings.setdefault("RISK_PORT", str(free_port()))
    data_dir.parent.mkdir(exist_ok=True)
    log = data_dir.parent / f"server-{port}.log"
    with log.open("ab") as output, log.with_suffix(".err").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "main.py", *arguments],
            cwd=ROOT,
            env=environment(data_dir, **settings),
            stdout=output,
            stderr=errors,
        )
    return Server(url=f"http://127.0.0.1:{port}", process=process, log=log)


def logged(server: Server) -> str:
    """Return what a service has logged so far."""
    return server.log.with_suffix(".err").read_text()


def run(command: str, data_dir: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project to its end."""
    settings.setdefault("RISK_PORT", str(free_port()))
    return subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def processes_of(data_dir: Path) -> list[str]:
    """Return the command lines of the processes that serve a data directory: ours, and PostgreSQL's."""
    marks = (f"RISK_DATA_DIR={data_dir}".encode(), f"{data_dir}/".encode())
    return [
        _read(entry / "cmdline").replace(b"\0", b" ").decode()
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and any(mark in _read(entry / "environ") + _read(entry / "cmdline") for mark in marks)
    ] + [entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _works_in(entry, data_dir)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _works_in(process: Path, data_dir: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(data_dir)
    except OSError:
        return False


def is_free(server: Server) -> bool:
    """Return whether another program could listen where a service did."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(server.url.rpartition(":")[2])))
        except OSError:
            return False
    return True


def seconds_until(condition: Callable[[], bool], *, at_most: float) -> float:
    """Wait for a condition; return how long it took, more than `at_most` where it did not come true."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > at_most:
            break
        time.sleep(0.02)
    return time.monotonic() - begin
