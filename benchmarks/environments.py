"""Environments of other engines: made once with their own packages, kept in the user's cache, never the project's.

Invariant: an engine that cannot be installed or run is reported by name and reason and leaves its figures out; it
never fails the benchmark of ours.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "algotrendy" / "peers"
_VERSIONS = ("3.12", "3.11", "3.13")
"""Of Python, in the order in which the engines' packages are likeliest to be there."""


class Missing(Exception):
    """The text says which engine, and what it lacks."""


def python_of(name: str, *packages: str, versions: tuple[str, ...] = _VERSIONS) -> Path:
    """The interpreter of an environment with ``packages``, of the first of the versions there is. Raises Missing."""
    folder = CACHE / name
    python, installed = folder / "bin" / "python", folder / "installed.json"
    if installed.is_file() and json.loads(installed.read_text()) == list(packages):
        return python
    base = _interpreter(versions)
    print(f"{name}: installing {' '.join(packages)}", file=sys.stderr, flush=True)
    for command in (
        [base, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{name} cannot be installed: {(done.stderr.strip() or 'no reason').splitlines()[-1]}")
    installed.write_text(json.dumps(list(packages)))
    return python


def _interpreter(versions: tuple[str, ...]) -> str:
    for version in versions:
        found = shutil.which(f"python{version}")
        if found and not subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
            return found
        managed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        if managed:
            return str(managed[-1])
    return sys.executable


def answer_of(name: str, python: Path, script: Path, *arguments: str) -> dict[str, Any]:
    """The last line that the script prints, which is JSON. Raises Missing where there is none."""
    done = subprocess.run(
        [str(python), "-W", "ignore", str(script), *arguments],
        cwd=script.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise Missing(f"{name} did not run: {(done.stderr.strip() or 'no reason').splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
