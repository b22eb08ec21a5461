"""docs/adding-a-rule.md, done as it says in a copy of the repository: the rule works and touches two rooms."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-rule.md"
COPIED = ("app", "tests/engine", "tests/policies")
RATES = {"app/engine/rules.py", "app/engine/symbol_terms.py"}
BLOCK = re.compile(r"^```(diff|python) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Edit:
    """A block of the page: changes of a file, or a new one."""

    kind: str
    path: str
    text: str

    def apply(self, root: Path) -> None:
        """Do what the block says; each place must be there exactly once."""
        file = root / self.path
        if self.kind == "python":
            assert not file.exists(), f"{self.path} is there already"
            file.write_text(self.text)
            return
        source = file.read_text()
        for place in self.text.split("@@\n")[1:]:
            lines = place.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
            assert source.count(old) == 1, f"not exactly once in {self.path}:\n{old}"
            source = source.replace(old, new)
        file.write_text(source)


def edits_of(page: Path) -> list[Edit]:
    return [Edit(*found) for found in BLOCK.findall(page.read_text())]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the application and the tests of two rooms."""
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config.py", "pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run_test(copy: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run a test file of the copy, its kernels in Python (products that wrap warn there): compiling takes too long."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--noconftest",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::RuntimeWarning",
            path,
        ],
        cwd=copy,
        env={"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_adds_a_rule_that_works(copy: Path) -> None:
    edits = edits_of(PAGE)
    for edit in edits:
        edit.apply(copy)

    (test,) = (edit.path for edit in edits if edit.kind == "python")
    done = run_test(copy, test)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_rule_touches_the_policies_the_rates_of_the_engine_and_its_test() -> None:
    paths = {edit.path for edit in edits_of(PAGE)}

    assert {str(PurePosixPath(path).parent) for path in paths} == {"app/policies", "app/engine", "tests/policies"}
    assert {path for path in paths if path.startswith("app/engine/")} == RATES


def test_without_its_place_in_the_engine_the_test_of_the_page_fails(copy: Path) -> None:
    """The page's test tests something."""
    for edit in edits_of(PAGE):
        text = edit.text.replace("rate, code = side[HARD_TO_BORROW_RATE], code", "rate, code = rate, code")
        Edit(edit.kind, edit.path, text).apply(copy)

    assert "1 failed" in run_test(copy, "tests/policies/test_hard_to_borrow.py").stdout
