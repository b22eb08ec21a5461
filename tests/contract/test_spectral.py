"""Spectral's rules for OpenAPI, unmodified, find nothing in the document."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from fastapi import FastAPI

_SPECTRAL = Path(__file__).parents[1] / "spectral"
_INSTALL_SECONDS = 300


@pytest.fixture(scope="module")
def spectral() -> Path:
    """Return the program, installed as the lock file says unless exactly that was done before."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; it brings Spectral, which lints the OpenAPI document")
    modules = _SPECTRAL / "node_modules"
    stamp = modules / ".lock-sha256"
    locked = hashlib.sha256((_SPECTRAL / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != locked:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        installed = subprocess.run(
            command, cwd=_SPECTRAL, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
        if installed.returncode:
            pytest.skip(f"Spectral cannot be installed: {installed.stderr.strip()[-300:]}")
        stamp.write_text(locked)
    return modules / ".bin" / "spectral"


def test_spectral_finds_nothing(app: FastAPI, spectral: Path, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(app.openapi()))

    options = ["--ruleset", str(_SPECTRAL / "ruleset.yaml"), "--fail-severity=hint", "--format=text"]
    result = subprocess.run(
        [spectral, "lint", document, *options], capture_output=True, text=True, timeout=120, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
