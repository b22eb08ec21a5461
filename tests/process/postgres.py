"""A PostgreSQL on loopback, with a password, that tests stop and start again."""

import signal
import subprocess
from pathlib import Path

from app.database.embedded import start_embedded
from app.database.embedded.home import find_home
from app.database.embedded.server import _is_ready
from tests.server import free_port

PASSWORD = "open sesame"
_ACCESS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
_ROLE = f"alter role risk password '{PASSWORD}'\n"


class PostgreSQL:
    """The packaged server with a cluster of ours; `url` stays the same from start to start."""

    def __init__(self, data_dir: Path) -> None:
        start_embedded(data_dir).stop()  # its programs, and an owner who may run them
        self._home = find_home(data_dir)
        (self._home.cluster / "pg_hba.conf").write_text(_ACCESS)
        self._set_password()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, *, password: str = PASSWORD, database: str = "risk") -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://risk:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        cluster = self._home.cluster
        options: list[str | Path] = ["-D", cluster, "-k", cluster, "-h", "127.0.0.1", "-p", str(self.port)]
        postgres = self._home.programs / "postgres"
        self._process = self._home.run_as.spawn([postgres, *options], output=subprocess.DEVNULL, at_end=signal.SIGINT)
        assert _is_ready(self._process, cluster / "postmaster.pid")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Shut it down at once; open connections end. SIGQUIT: as a crash, to be recovered from at the next start."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def _set_password(self) -> None:
        """Give the service's role a password, while nothing serves the cluster."""
        command: list[str | Path] = [self._home.programs / "postgres", "--single", "-D", self._home.cluster, "postgres"]
        process = self._home.run_as.spawn(command, output=subprocess.PIPE, stdin=subprocess.PIPE)
        process.communicate(_ROLE.encode(), timeout=30)
        assert process.returncode == 0
