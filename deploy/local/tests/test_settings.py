from pathlib import Path

import pytest
from algotrendy_local.settings import LocalSettings
from pydantic import ValidationError


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_LOCAL_PORT_BASE", "9000")
    assert LocalSettings.from_environment().port_base == 9000
    assert LocalSettings.from_environment(port_base=None).port_base is None


def test_a_server_url_replaces_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_REDIS_URL", "redis://elsewhere:6379/0")
    assert LocalSettings.from_environment().replaced == {"redis": "redis://elsewhere:6379/0"}


def test_unknown_and_wrong_settings_are_refused_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_LOCAL_COLOUR", "blue")
    monkeypatch.setenv("ALGOTRENDY_LOCAL_PORT_BASE", "80")
    with pytest.raises(ValidationError) as refused:
        LocalSettings.from_environment()
    assert {error["loc"][0] for error in refused.value.errors()} == {"colour", "port_base"}


def test_servers_see_no_setting_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_GATEWAY_TOKEN_KEY", "secret")
    settings = LocalSettings.from_environment(home=Path("/nowhere"))
    assert not [name for name in settings.inherited if name.startswith("ALGOTRENDY_")]
    assert "PATH" in settings.inherited
