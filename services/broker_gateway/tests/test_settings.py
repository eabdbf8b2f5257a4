import json

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


# -- several accounts ------------------------------------------------------------------------------------------------

SIMULATED = {"http_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1", "api_key": "k", "api_secret": "s"}
KRAKEN = {"account": "kraken-1", "venue": "kraken"} | SIMULATED
OKX = {"account": "okx-1", "venue": "okx", "passphrase": "very-secret", "failover": ["kraken-1"]} | SIMULATED
PAPER = {"account": "paper-2", "venue": "paper", "feed": "binance"}


def with_accounts(*accounts: dict[str, object]) -> BrokerGatewaySettings:
    environment = {f"{OWN}APPROVAL_PUBLIC_KEY": "0" * 64, f"{OWN}ACCOUNTS": json.dumps(accounts)}
    return load(BrokerGatewaySettings, "broker_gateway", environment)


def test_several_accounts_at_several_venues_are_given_as_json():
    settings = with_accounts(OKX, KRAKEN, PAPER)
    assert [one.account for one in settings.every_account] == ["okx-1", "kraken-1", "paper-2"]
    assert [one.market for one in settings.every_account] == ["okx", "kraken", "binance"]
    assert "very-secret" not in repr(settings)


def test_the_short_form_is_one_account():
    (only,) = load(BrokerGatewaySettings, "broker_gateway", COMPLETE).every_account
    assert (only.account, only.venue, only.http_url) == ("paper-1", "binance", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("accounts", "complaint"),
    [
        ([OKX], "no account kraken-1 to fail over to"),
        ([KRAKEN, KRAKEN], "two accounts have one id"),
        ([KRAKEN | {"failover": ["kraken-1"]}], "no account of the same mode"),
        ([OKX, KRAKEN | {"mode": "live"}], "no account of the same mode"),
        ([KRAKEN | {"api_secret": None}], "come together"),
        ([KRAKEN | {"api_key": None, "api_secret": None}], "keys are missing"),
        ([KRAKEN | {"http_url": None}], "needs http_url and ws_url"),
        ([PAPER | {"feed": None}], "needs a feed"),
        ([PAPER | {"feed": "paper"}], "needs a feed"),
        ([PAPER | {"mode": "live"}], "nothing on the paper venue is live"),
        ([KRAKEN | {"venue": "nowhere"}], "Input should be"),
    ],
)
def test_accounts_that_cannot_work_are_refused_with_a_reason(accounts, complaint):
    with pytest.raises(SettingsRefused, match=complaint):
        with_accounts(*accounts)


def test_a_gateway_is_given_time_to_renew_before_it_counts_as_dead():
    with pytest.raises(SettingsRefused, match="heartbeat_limit"):
        load(BrokerGatewaySettings, "broker_gateway", COMPLETE | {f"{OWN}HEARTBEAT_LIMIT": "PT2S"})
