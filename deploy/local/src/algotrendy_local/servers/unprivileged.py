"""Places for a server that must not run as root: which account it gets, and folders that account can reach.

Invariant: permissions of folders that are not ours are never changed; what an account cannot reach is put under
``/var/lib/algotrendy`` with a link to it, and removing the link's folder removes what it points to.
"""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from algotrendy_common import ids

from algotrendy_local.errors import StackError
from algotrendy_local.program import Account

SHARED_ROOT = Path("/var/lib/algotrendy")
ACCOUNT = "pgserver"


def account_for(home: Path) -> Account | None:
    """Whom a server that refuses root runs as: None (ourselves) unless we are root."""
    if os.getuid() != 0:
        return None
    owner = home.stat().st_uid
    if owner != 0:
        return _account(pwd.getpwuid(owner))
    return _account(_system_account(ACCOUNT))


def existing_account() -> Account:
    """The account that servers use where we are root; raises KeyError where a start has yet to make it."""
    return _account(pwd.getpwnam(ACCOUNT))


def reachable_folder(wanted: Path, account: Account | None) -> Path:
    """``wanted``, made and owned by ``account``; or the folder that ``wanted`` then links to."""
    if wanted.is_symlink():
        place = wanted.readlink()
        if not place.exists():  # its disk was cleared: nothing to keep, so begin anew
            wanted.unlink()
            return reachable_folder(wanted, account)
        return place
    if account is None or wanted.exists() or can_reach(wanted.parent, account):
        place = wanted
    else:
        place = SHARED_ROOT / ids.new_id()[:12] / wanted.name
        _open(place.parent)
    if not place.exists():
        place.mkdir(mode=0o700)
        if account:
            os.chown(place, account.uid, account.gid)
    if place != wanted:
        wanted.symlink_to(place)
    return place


def reachable_tree(tree: Path, account: Account | None, beside: tuple[Path, ...] = ()) -> Path:
    """Installed files as ``account`` can reach them: in place, or copied with the folders their libraries are in."""
    if account is None or can_reach(tree, account):
        return tree
    site = tree.parents[1]
    # Its inode and time of change stand for an installation: another one gets a copy of its own.
    status = tree.stat()
    copy = SHARED_ROOT / "packages" / f"{tree.name}-{status.st_ino:x}-{status.st_mtime_ns:x}"
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        _open(draft / tree.relative_to(site).parent)
        for part in (tree, *(folder for folder in beside if folder.exists())):
            shutil.copytree(part, draft / part.relative_to(site), symlinks=True, dirs_exist_ok=True)
        try:
            draft.rename(copy)
        except OSError:  # another stack was faster
            shutil.rmtree(draft)
    return copy / tree.relative_to(site)


def remove(path: Path) -> None:
    """Remove a folder, through links that lead to folders of ours."""
    if path.is_symlink():
        target = path.readlink()
        path.unlink()
        if target.is_relative_to(SHARED_ROOT):
            shutil.rmtree(target.parent)
    elif path.is_dir():
        for child in path.iterdir():
            if child.is_symlink():
                remove(child)
        shutil.rmtree(path)


def can_reach(path: Path, account: Account) -> bool:
    """Whether the account may enter every folder on the way to ``path`` and ``path`` itself."""
    resolved = path.resolve()
    return all(_may_enter(folder.stat(), account) for folder in (resolved, *resolved.parents))


def _open(folder: Path) -> None:
    """Make a folder of ours that other accounts may go through, whatever the umask."""
    for part in (*reversed(folder.parents), folder):
        if not part.exists():
            part.mkdir()
            part.chmod(0o755)


def _may_enter(folder: os.stat_result, account: Account) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _system_account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    try:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(name)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise StackError(
            "no_account",
            f"PostgreSQL does not run as root and the account '{name}' cannot be created",
            f"run as an ordinary user, or create it: useradd --system {name}",
        ) from error
