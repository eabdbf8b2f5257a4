import stat
from pathlib import Path

import pytest
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home, write_private


def test_keys_are_for_their_owner_alone(home: Home) -> None:
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Home(tmp_path).make()
    Home(tmp_path).make()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE(Home(tmp_path).logs.stat().st_mode) == 0o700


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_told_with_what_to_free(home: Home) -> None:
    with pytest.raises(StackError, match=r"MB free on the disk of .*; free \d+ MB or choose another disk"):
        home.check_disk(enough=1 << 62)


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot write to .*; choose another folder with --home"):
        Home(tmp_path / "file" / "home").make()
