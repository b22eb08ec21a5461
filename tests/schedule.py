"""Which tests run in real processes, which stay together on one worker of pytest-xdist, and which begin first."""

from collections.abc import Mapping
from typing import Final

from xdist.scheduler import LoadScopeScheduling

#: Groups of tests of real processes, the longest first, by the beginnings of their paths. A group runs on one worker,
#: one test after the other: these either share servers of their own, or end and kill services within promised times.
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "crashes": tuple(
        f"tests/process/test_{name}.py"
        for name in ("kill", "kill_import", "outage", "price_faults", "restart", "safe_writes", "secrets", "stop")
    ),
    "contract": tuple(
        f"tests/contract/test_{name}.py" for name in ("access", "generated_client", "schemathesis", "spectral")
    ),
    "starts": ("tests/process/",),
    "events": tuple(f"tests/events/test_{name}.py" for name in ("endings", "order", "resume", "sse", "websocket")),
    "leader": ("tests/leader/",),
    "database": tuple(f"tests/database/test_{name}.py" for name in ("recovery", "server", "users")),
    "delivery": ("tests/webhooks/test_delivery.py",),
    "workers": ("tests/operations/test_workers.py",),
    "yahoo": ("tests/providers/test_yahoo_process.py",),
    "command": ("tests/imports/test_command.py",),
}


def process_group(nodeid: str) -> str | None:
    """Return the group of a test of real processes, None for any other test."""
    return next((group for group, paths in _GROUPS.items() if nodeid.startswith(paths)), None)


def rank(nodeid: str) -> int:
    """Return when a test begins: groups in their order, then all others."""
    group = process_group(nodeid)
    return len(_GROUPS) if group is None else list(_GROUPS).index(group)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Gives each worker a group, or a file, whenever it has almost finished another."""

    def _split_scope(self, nodeid: str) -> str:
        return process_group(nodeid) or nodeid.partition("::")[0]
