import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from algotrendy_local.home import Home
from algotrendy_local.program import Account
from algotrendy_local.servers import unprivileged
from algotrendy_local.testing import running_servers

NOBODY = Account("nobody", 65534, 65534)
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root starts servers as another user")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that nobody but its owner can enter, as /root is."""
    folder = Path(tempfile.mkdtemp(prefix="algotrendy-closed-"))
    assert mode_of(folder) == 0o700
    yield folder
    unprivileged.remove(folder)


def test_a_closed_parent_is_out_of_reach(closed: Path, home: Home) -> None:
    (closed / "inside").mkdir(mode=0o777)
    assert not unprivileged.can_reach(closed / "inside", NOBODY)
    assert unprivileged.can_reach(home.root, NOBODY)
    assert unprivileged.can_reach(closed, Account("owner", os.getuid(), os.getgid()))


def test_without_another_account_folders_stay_where_they_are(closed: Path) -> None:
    wanted = closed / "postgres"
    assert unprivileged.reachable_folder(wanted, None) == wanted
    assert mode_of(wanted) == 0o700


@as_root
def test_a_home_of_an_ordinary_user_gets_servers_of_that_user(home: Home) -> None:
    os.chown(home.root, NOBODY.uid, NOBODY.gid)
    account = unprivileged.account_for(home.root)
    assert account is not None
    assert account.uid == NOBODY.uid


@as_root
async def test_a_closed_checkout_is_served_from_elsewhere_and_stays_closed(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when everything, packages too, is under /root."""
    packages = closed / "site-packages"
    installed = unprivileged_copy(packages)
    monkeypatch.setattr("algotrendy_local.servers.postgres.installation", lambda: installed)
    root = closed / ".algotrendy"
    async with running_servers("postgres", home=root) as servers:
        data = servers.home.data("postgres")
        assert data.is_symlink()
        place = data.readlink()
        assert place.is_relative_to(unprivileged.SHARED_ROOT)
        assert (place / "PG_VERSION").exists()
        command = Path(servers.programs["postgres"].command[0])
        assert command.is_relative_to(unprivileged.SHARED_ROOT)
    async with running_servers("postgres", home=root) as servers:
        assert servers.home.data("postgres").readlink() == place
    assert mode_of(closed) == 0o700
    unprivileged.remove(root / "data")
    assert not place.exists()
    shutil.rmtree(command.parents[3])


def mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def unprivileged_copy(packages: Path) -> Path:
    from algotrendy_local.servers import postgres

    installed = postgres.installation()
    copy = packages / installed.parent.name / installed.name
    shutil.copytree(installed, copy, symlinks=True)
    libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, packages / libraries.name)
    return copy


def test_a_link_to_a_place_that_was_cleared_is_made_anew(home: Home) -> None:
    wanted = home.data("postgres")
    wanted.symlink_to(home.root / "gone")
    assert unprivileged.reachable_folder(wanted, None) == wanted
    assert wanted.is_dir()
    assert not wanted.is_symlink()


def test_removing_follows_no_link_of_others(home: Home) -> None:
    other = home.root / "other"
    other.mkdir()
    folder = home.root / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(other)
    unprivileged.remove(folder)
    assert other.is_dir()
    assert not folder.exists()
