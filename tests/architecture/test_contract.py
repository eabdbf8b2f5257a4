"""Rules about the contract itself: every event is in the catalogue, frozen, versioned and free of floats for money."""

import importlib
import pkgutil
from decimal import Decimal
from typing import Any, get_args

import algotrendy_common.events
import algotrendy_common.rpc
import pytest
from algotrendy_common.events.event import Event, Record
from algotrendy_common.rpc.call import Call
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.subjects import CATALOGUE, SERVICES, STREAMS, subject_of

MONEY_WORDS = {
    "price",
    "quantity",
    "amount",
    "fee",
    "pnl",
    "notional",
    "equity",
    "cash",
    "balance",
    "bid",
    "ask",
    "limit",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "exposure",
    "total",
    "available",
    "reserved",
}
MEASUREMENTS = {
    ("FeedHealthChanged", "latency_ms"),
    ("FeedHealthChanged", "lag_ms"),
    ("AccountReconciled", "duration_ms"),
    ("Situation", "similarity"),
}
"""Floats that are durations or degrees of likeness, not money."""


def records_in(package: Any) -> list[type[Record]]:
    found: set[type[Record]] = set()
    for module_info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Record) and value not in (Record, Event):
                found.add(value)
    return sorted(found, key=lambda record: record.__name__)


EVENTS = [record for record in records_in(algotrendy_common.events) if issubclass(record, Event)]
RECORDS = records_in(algotrendy_common.events) + records_in(algotrendy_common.rpc)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_has_exactly_one_row(event):
    assert [row.pattern for row in CATALOGUE if event in row.events] == [subject_of(event).pattern]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_records_are_frozen_and_refuse_unknown_fields(record):
    assert record.model_config["frozen"] is True
    assert record.model_config["extra"] == "forbid"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_no_float_carries_money(record):
    floats = {name for name, field in record.model_fields.items() if float in annotations(field.annotation)}
    allowed = {name for owner, name in MEASUREMENTS if owner == record.__name__}
    if record.__name__ == "BacktestFinished":
        allowed |= {"statistics"}  # figures about a run; its trades and equity are exact in the store
    if record.__name__ == "PortfolioStatistics":
        allowed = floats  # ratios about amounts that are exact in the answer beside them
    assert floats <= allowed
    for name, field in record.model_fields.items():
        words = name.split("_")
        if words[-1] in MONEY_WORDS and float in annotations(field.annotation):
            pytest.fail(f"{record.__name__}.{name} is money in binary")


def annotations(annotation: Any) -> set[Any]:
    found = {annotation}
    for part in get_args(annotation):
        found |= annotations(part)
    return found


def test_money_on_the_wire_is_a_string():
    event = next(event for event in EVENTS if event.__name__ == "QuoteChanged")
    schema = event.model_json_schema(mode="serialization")
    assert schema["properties"]["bid"]["type"] == "string"
    assert Decimal in annotations(event.model_fields["bid"].annotation)


def test_every_call_module_is_in_the_catalogue():
    declared = set()
    for module_info in pkgutil.iter_modules(algotrendy_common.rpc.__path__, "algotrendy_common.rpc."):
        module = importlib.import_module(module_info.name)
        declared |= {value.subject for value in vars(module).values() if isinstance(value, Call)}
    assert declared == {call.subject for call in CALLS}


def test_names_in_the_catalogue_are_real():
    services = set(SERVICES)
    for row in CATALOGUE:
        assert set(row.owners) <= services
        assert set(row.readers) <= services
        for event in row.events:
            for name in row.pattern.split("."):
                if name.startswith("{"):
                    field = name.strip("{}")
                    assert field in event.model_fields or hasattr(event, field)
    for call in CALLS:
        assert {call.service, *call.callers} <= services
        assert call.service not in call.callers
    assert len({stream.name for stream in STREAMS}) == len(STREAMS)


def test_order_streams_lose_nothing_silently():
    orders = subject_of(next(event for event in EVENTS if event.__name__ == "OrderApproved")).stream
    assert orders is not None
    assert orders.discard_new
    assert orders.sealed
    assert orders.storage.value == "file"
