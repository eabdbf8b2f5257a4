"""The one account of the simulation, as its gateway is told of it."""

from datetime import timedelta
from decimal import Decimal

from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings, ProtectionPolicy
from algotrendy_common.approval import Signer
from algotrendy_common.settings import PlatformSettings
from pydantic import SecretStr

from tests.faults.order_sim.virtual_market import NAME, SYMBOLS
from tests.faults.order_sim.virtual_wire import ANSWER_TIMEOUT_S

ACCOUNT = "simulated-1"
SIGNER = Signer("22" * 32)


def settings(required: bool) -> BrokerGatewaySettings:
    """``required``: the account wants every position guarded."""
    account = AccountSettings.model_construct(
        account=ACCOUNT,
        venue=NAME,  # type: ignore[arg-type]
        symbols=SYMBOLS,
        protection=ProtectionPolicy(
            required=required,
            default_stop_ratio=Decimal("0.004"),
            restore_within=timedelta(seconds=3),
            flatten_after=timedelta(seconds=15),
        ),
        api_key=SecretStr("simulated"),
        api_secret=SecretStr("simulated"),
    )
    return BrokerGatewaySettings.model_construct(
        platform=PlatformSettings(),
        accounts=(account,),
        approval_public_key=SIGNER.public_key,
        # The production durations in their proportion, shortened: a seed is over sooner.
        answer_timeout=timedelta(seconds=ANSWER_TIMEOUT_S),
        settle_time=timedelta(seconds=2),
        not_found_span=timedelta(seconds=12),
        resolve_first_delay=timedelta(seconds=0.1),
        resolve_longest_delay=timedelta(seconds=2),
        reconcile_interval=timedelta(seconds=12),
        reconcile_retry=timedelta(seconds=0.8),
        # Prices move by jumps here: what a market order costs is not what is looked at.
        slippage_tolerance=Decimal(1),
    )
