import subprocess
import sys
from datetime import timedelta

import pytest
from algotrendy_common.settings import ServiceSettings, SettingsRefused, load
from pydantic import Field, SecretStr


class Settings(ServiceSettings):
    symbols: tuple[str, ...] = ("BTC-USDT",)
    key: SecretStr = SecretStr("")
    patience: timedelta = timedelta(seconds=1)
    size: int = Field(1, ge=1)


def test_values_come_from_the_shared_and_the_own_section():
    settings = load(
        Settings,
        "risk",
        {
            "ALGOTRENDY_NATS_URL": "nats://there:1",
            "ALGOTRENDY_RISK_SYMBOLS": "A-B, C-D",
            "ALGOTRENDY_RISK_PATIENCE": "PT2S",
            "ALGOTRENDY_RISK_KEY": "secret",
            "ALGOTRENDY_AGENT_SIZE": "not ours",
            "PATH": "/bin",
        },
    )
    assert settings.platform.nats_url == "nats://there:1"
    assert settings.symbols == ("A-B", "C-D")
    assert settings.patience == timedelta(seconds=2)
    assert "secret" not in repr(settings)


def test_every_violation_is_told_at_once():
    with pytest.raises(SettingsRefused) as refused:
        load(
            Settings,
            "risk",
            {
                "ALGOTRENDY_NATS_ULR": "typo",
                "ALGOTRENDY_TRACE_RATIO": "2",
                "ALGOTRENDY_RISK_SIZE": "0",
                "ALGOTRENDY_RISK_COLOUR": "red",
            },
        )
    names = {violation.split(":")[0] for violation in refused.value.violations}
    assert names == {
        "ALGOTRENDY_NATS_ULR",
        "ALGOTRENDY_TRACE_RATIO",
        "ALGOTRENDY_RISK_SIZE",
        "ALGOTRENDY_RISK_COLOUR",
    }


def test_a_process_with_bad_settings_says_so_and_ends_with_status_2():
    program = (
        "from algotrendy_common.settings import ServiceSettings, load_or_exit; load_or_exit(ServiceSettings, 'risk')"
    )
    environment = {"ALGOTRENDY_RISK_HEALTH_PORT": "many", "ALGOTRENDY_X": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "2 setting(s) refused" in ended.stderr
    assert "ALGOTRENDY_RISK_HEALTH_PORT" in ended.stderr
