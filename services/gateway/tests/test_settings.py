"""Settings that cannot be right are refused, all together."""

import pytest
from algotrendy_common.settings import SettingsRefused, load
from algotrendy_gateway.settings import GatewaySettings

GOOD = {
    "ALGOTRENDY_GATEWAY_REDIS_URL": "redis://127.0.0.1:6379/0",
    "ALGOTRENDY_GATEWAY_TOKEN_KEY": "ab" * 32,
}


def test_what_is_needed_suffices_and_secrets_do_not_show():
    settings = load(GatewaySettings, "gateway", GOOD)
    assert not settings.https
    assert settings.demo_password is None
    assert "ab" * 32 not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN_KEY", "short"),
        ("TOKEN_KEY", "zz" * 32),
        ("RETIRED_TOKEN_KEYS", "ab,cd"),
        ("REDIS_URL", "redis://nohost"),
        ("REDIS_URL", "http://127.0.0.1:6379"),
        ("PUBLIC_ORIGIN", "trade.example.com"),
        ("PUBLIC_ORIGIN", "https://trade.example.com/path"),
        ("ACCESS_LIFE", "3600"),
        ("REQUESTS_LIMIT", "lots"),
        ("NONSENSE", "1"),
    ],
)
def test_what_cannot_be_right_is_refused(name: str, value: str):
    with pytest.raises(SettingsRefused):
        load(GatewaySettings, "gateway", GOOD | {f"ALGOTRENDY_GATEWAY_{name}": value})


def test_https_follows_from_the_origin():
    settings = load(
        GatewaySettings, "gateway", GOOD | {"ALGOTRENDY_GATEWAY_PUBLIC_ORIGIN": "https://Trade.Example.com"}
    )
    assert settings.https
    assert settings.public_origin == "https://trade.example.com"
