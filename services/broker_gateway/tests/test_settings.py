import pytest
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_common.settings import SettingsRefused, load

OWN = "ALGOTRENDY_BROKER_GATEWAY_"
COMPLETE = {
    f"{OWN}BINANCE_HTTP_URL": "http://127.0.0.1:1",
    f"{OWN}BINANCE_WS_URL": "ws://127.0.0.1:1",
    f"{OWN}BINANCE_API_KEY": "k",
    f"{OWN}BINANCE_API_SECRET": "very-secret",
    f"{OWN}APPROVAL_PUBLIC_KEY": "0" * 64,
}


def test_durations_symbols_and_secrets_are_read():
    settings = load(
        BrokerGatewaySettings,
        "broker_gateway",
        COMPLETE | {f"{OWN}ANSWER_TIMEOUT": "PT0.5S", f"{OWN}SYMBOLS": "A-B,C-D"},
    )

    assert settings.answer_timeout.total_seconds() == 0.5
    assert settings.symbols == ("A-B", "C-D")
    assert "very-secret" not in repr(settings)


def test_a_paper_account_is_never_aimed_at_the_real_venue_by_default():
    without = {name: value for name, value in COMPLETE.items() if not name.endswith("_URL")}
    with pytest.raises(SettingsRefused, match="paper account"):
        load(BrokerGatewaySettings, "broker_gateway", without)
    assert load(BrokerGatewaySettings, "broker_gateway", without | {f"{OWN}MODE": "live"}).binance_http_url is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"APPROVAL_PUBLIC_KEY": "short"},
        {"ANSWER_TIMEOUT": "PT0S"},
        {"NOT_FOUND_CHECKS": "1"},
        {"VENUE": "nowhere"},
        {"NO_SUCH_THING": "1"},
    ],
)
def test_what_cannot_be_used_is_refused_at_start(wrong):
    with pytest.raises(SettingsRefused):
        load(BrokerGatewaySettings, "broker_gateway", COMPLETE | {OWN + name: value for name, value in wrong.items()})
