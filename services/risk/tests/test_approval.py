"""The signature is bound to each field: whatever is changed, the approval is not genuine any more."""

from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_common.approval import Signer, Verifier
from algotrendy_common.enums import TimeInForce
from algotrendy_common.events.order import OrderApproved, OrderOrigin, OrderTerms
from algotrendy_common.ids import derived_id, new_id

SIGNER = Signer("22" * 32)


@pytest.fixture
def approved(events, making) -> OrderApproved:
    terms = OrderTerms(
        order_id=new_id(), account="paper-1", venue="binance", symbol="BTC-USDT", side="buy", type="limit",
        quantity=Decimal("0.5"), limit_price=Decimal(20_000),
    )  # fmt: skip
    approval_id, notional, until = derived_id("approval", terms.order_id), Decimal(10_000), making.NOW
    return events.make(
        OrderApproved, approval_id=approval_id, terms=terms, origin=OrderOrigin(source="trader"), notional=notional,
        expires_at=until, signature=SIGNER.sign(approval_id, terms, notional, until),
    )  # fmt: skip


def test_what_risk_signed_is_genuine_and_survives_the_wire(approved):
    verifier = Verifier(SIGNER.public_key)
    assert verifier.genuine(approved)
    assert verifier.genuine(OrderApproved.from_json(approved.to_json()))
    assert not Verifier(Signer("33" * 32).public_key).genuine(approved)


CHANGES = {
    "order_id": new_id(), "account": "live-1", "venue": "kraken", "symbol": "LTC-USDT", "side": "sell",
    "type": "market", "quantity": Decimal("0.51"), "limit_price": Decimal(20_001),
    "time_in_force": TimeInForce.IOC, "reduce_only": True, "trigger_price": Decimal(19_000),
    "trailing_ratio": Decimal("0.1"), "good_until": "2027-01-01T00:00:00Z", "protection": {"stop_price": "19000"},
    "replaces": new_id(), "margin_mode": "cross", "leverage": Decimal(2),
}  # fmt: skip


@pytest.mark.parametrize("field", list(OrderTerms.model_fields))
def test_no_term_can_be_changed(approved, field):
    terms = OrderTerms.model_validate(approved.terms.model_dump() | {field: CHANGES[field]})
    assert not Verifier(SIGNER.public_key).genuine(approved.model_copy(update={"terms": terms}))


@pytest.mark.parametrize(
    "change",
    [
        {"notional": Decimal(10_001)},
        {"approval_id": new_id()},
        {"signature": "AAAA"},
        {"signature": "not base64"},
    ],
)
def test_neither_amount_nor_id_nor_signature_can_be_changed(approved, change):
    assert not Verifier(SIGNER.public_key).genuine(approved.model_copy(update=change))


def test_it_cannot_be_made_to_last_longer(approved):
    longer = approved.model_copy(update={"expires_at": approved.expires_at + timedelta(microseconds=1)})
    assert not Verifier(SIGNER.public_key).genuine(longer)
