"""
How a PostgreSQL program runs as a child: as whom, in what surroundings, and never longer than its parent.

PostgreSQL refuses to run as root. A parent that is root therefore starts it as another user, or, where that user cannot
reach the files, as root that a user namespace of its own shows as another user and strips of every privilege.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PROBE_SECONDS = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class OsAccount:
    """A user of this machine, by number."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a child runs as: `owner` owns its files; `seen_as` is what it takes itself for in its own namespace."""

    owner: OsAccount
    seen_as: OsAccount | None = None

    def spawn(
        self,
        argv: Sequence[str | Path],
        *,
        output: int | IO[bytes],
        stdin: int = subprocess.DEVNULL,
        lock: int | None = None,
        at_end: signal.Signals = signal.SIGKILL,
    ) -> subprocess.Popen[bytes]:
        """
        Start a program that gets a signal to end when the calling thread ends.

        It gets a session of its own, so that Ctrl-C at the terminal reaches its parent alone, and none of the
        environment, where `PGPORT` and the like would change what it does.

        Args:
            argv: the program by its full path, and its arguments.
            output: receives stdout and stderr.
            stdin: nothing to read by default.
            lock: a descriptor for the child to inherit.
            at_end: what tells it.

        Raises:
            OSError, subprocess.SubprocessError: it cannot be started as this user.
        """
        switch = os.geteuid() == 0 and self.seen_as is None
        return subprocess.Popen(  # noqa: S603 - the program's path is ours
            argv,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
            user=self.owner.uid if switch else None,
            group=self.owner.gid if switch else None,
            extra_groups=[] if switch else None,
            preexec_fn=self._preparation(at_end),  # noqa: PLW1509 - called before any thread exists; prctl has no other place
        )

    def _preparation(self, at_end: signal.Signals) -> Callable[[], None]:
        """Return what the child does before it becomes the program, after any change of user (which resets prctl)."""
        parent = os.getpid()

        def prepare() -> None:
            if self.seen_as is not None:
                _enter_namespace(outside=self.owner, inside=self.seen_as)
            if sys.platform == "linux":
                _libc.prctl(_PR_SET_PDEATHSIG, at_end, 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(1)

        return prepare

    def can_run(self, program: Path, directory: Path) -> bool:
        """Say whether a child can execute `program` and reach `directory`; tried, not guessed from modes."""
        script = 'cd "$1" && exec "$2" --version'
        try:
            process = self.spawn(["/bin/sh", "-c", script, "sh", directory, program], output=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError):
            return False
        try:
            return process.wait(_PROBE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False


def _enter_namespace(*, outside: OsAccount, inside: OsAccount) -> None:
    """Move this process into a user namespace where `outside` is called `inside` and no other user exists."""
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace")
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{inside.uid} {outside.uid} 1")
    (own / "gid_map").write_text(f"{inside.gid} {outside.gid} 1")


def watch_parent(pid: int) -> subprocess.Popen[bytes]:
    """
    Start a process that interrupts `pid` once this process has ended, for systems without `PR_SET_PDEATHSIG`.

    It waits for the end of its stdin, a pipe that only this process holds open. Kill it before reaping `pid`.
    """
    script = 'read -r line; kill -INT "$1"'
    return subprocess.Popen(  # noqa: S603 - a constant script and a number
        ["/bin/sh", "-c", script, "sh", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
