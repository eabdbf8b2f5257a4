from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.approval import Signer, Verifier
from algotrendy_common.clock import ManualClock
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderApproved, OrderOrigin, OrderTerms
from algotrendy_common.ids import new_id

SIGNER = Signer("11" * 32)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def approved() -> OrderApproved:
    terms = OrderTerms(
        order_id=new_id(), account="paper-1", venue="binance", symbol="BTC-USDT", side="buy", type="limit",
        quantity=Decimal("0.10"), limit_price=Decimal("17000"),
    )  # fmt: skip
    approval_id, expires = new_id(), NOW + timedelta(seconds=5)
    return EventFactory("risk", ManualClock(NOW)).make(
        OrderApproved,
        approval_id=approval_id,
        terms=terms,
        origin=OrderOrigin(source="trader"),
        notional=Decimal("1700"),
        expires_at=expires,
        signature=SIGNER.sign(approval_id, terms, Decimal("1700"), expires),
    )


def test_a_genuine_approval_survives_the_wire(approved):
    verifier = Verifier(SIGNER.public_key)
    assert verifier.genuine(approved)
    assert verifier.genuine(OrderApproved.from_json(approved.to_json()))


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": Decimal("0.11")}, {"limit_price": Decimal("17001")}, {"side": "sell"}, {"symbol": "LTC-USDT"},
        {"account": "live-1"}, {"venue": "kraken"}, {"type": "market"}, {"reduce_only": True}, {"order_id": "0" * 32},
        {"time_in_force": "ioc"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_changing_any_term_breaks_the_signature(approved, change):
    forged = approved.model_copy(update={"terms": OrderTerms(**(approved.terms.model_dump() | change))})
    assert not Verifier(SIGNER.public_key).genuine(forged)


@pytest.mark.parametrize(
    "change",
    [{"notional": Decimal("1701")}, {"expires_at": NOW + timedelta(hours=1)}, {"approval_id": "0" * 32},
     {"signature": ""}, {"signature": "!!"}, {"signature": "AAAA"}],
    ids=str,
)  # fmt: skip
def test_changing_what_surrounds_the_terms_breaks_it_too(approved, change):
    assert not Verifier(SIGNER.public_key).genuine(approved.model_copy(update=change))


def test_another_key_signs_nothing_here(approved):
    assert not Verifier(Signer("22" * 32).public_key).genuine(approved)
