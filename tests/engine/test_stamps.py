"""When kernels are compiled again: after a change of any source of the engine, of its name, or of its folder."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.jit import stamp_of

ENVIRONMENT = Path(__file__).parents[2] / "scripts" / "_environment.sh"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of two sources whose python compiles nothing, successfully."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ENVIRONMENT, tmp_path / "scripts")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to("/bin/true" if Path("/bin/true").exists() else "/usr/bin/true")
    engine = tmp_path / "app/engine"
    engine.mkdir(parents=True)
    for name in ("kernel.py", "helper.py"):
        (engine / name).write_text(f"# {name}\n")
        os.utime(engine / name, (0, 0))
    return tmp_path


def shell(project: Path, command: str) -> bool:
    """Return whether a command succeeds behind the functions of the script, in the project."""
    source = '. scripts/_environment.sh; cd "$root"; '
    done = subprocess.run(["/bin/bash", "-c", source + command], cwd=project, capture_output=True, check=False)
    return done.returncode == 0


def move(engine: Path) -> None:
    (engine / "helper.py").rename(engine / "helpers.py")


def move_into_folder(engine: Path) -> None:
    (engine / "inner").mkdir()
    (engine / "helper.py").rename(engine / "inner" / "helper.py")


def delete(engine: Path) -> None:
    (engine / "helper.py").unlink()


def add(engine: Path) -> None:
    shutil.copy2(engine / "helper.py", engine / "another.py")


def edit(engine: Path) -> None:
    (engine / "helper.py").write_text("# changed\n")
    os.utime(engine / "helper.py", (2**32, 2**32))


CHANGES = pytest.mark.parametrize("change", [move, move_into_folder, delete, add, edit])


def test_kernels_are_compiled_once(project: Path) -> None:
    assert not shell(project, "is_compiled")
    assert shell(project, "compile_kernels")
    assert shell(project, "is_compiled")


@CHANGES
def test_the_scripts_compile_again_after(change: Callable[[Path], None], project: Path) -> None:
    assert shell(project, "compile_kernels")

    change(project / "app/engine")

    assert not shell(project, "is_compiled")


@CHANGES
def test_the_cache_is_another_one_after(change: Callable[[Path], None], project: Path) -> None:
    before = stamp_of(project / "app/engine")

    change(project / "app/engine")

    assert stamp_of(project / "app/engine") != before
