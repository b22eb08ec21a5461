"""Other processes, as these tests start, find and end them."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Serves the data directory of its first argument until it is killed; prints the URL when ready, or the error.
SERVE = """
import sys, time
from pathlib import Path
from app.database.embedded import start_embedded
from app.core.errors import EmbeddedError
try:
    server = start_embedded(Path(sys.argv[1]))
except EmbeddedError as error:
    print("refused:", error, flush=True)
else:
    print(server.url, flush=True)
    time.sleep(60)
"""


def serve(data_dir: Path) -> subprocess.Popen[str]:
    """Start a process that serves `data_dir`."""
    return subprocess.Popen([sys.executable, "-c", SERVE, str(data_dir)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    """End a process so that it can do nothing about it."""
    process.kill()
    process.communicate()


def users_of(cluster: Path) -> Sequence[str]:
    """Return the processes that work in a cluster: PostgreSQL's all have it as their current directory."""
    if not Path("/proc/self/cwd").exists():
        listing = subprocess.run(["ps", "-axo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(cluster) in line]
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _works_in(entry, cluster)]


def wait_until_unused(data_dir: Path) -> None:
    """Return when the server of a data directory ended, which takes a moment after its parent was killed; or fail."""
    cluster = data_dir / "postgres"
    assert becomes_true(lambda: not users_of(cluster), seconds=30), f"still used by {users_of(cluster)}"


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return (process / "cwd").readlink() == cluster
    except OSError:
        return False


def becomes_true(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Say whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
