"""The one catalogue of subjects: what travels where, who alone may publish it, who reads it and how long it is kept.

Invariant: NATS permissions, streams, consumers, the AsyncAPI document and the docs page are all generated from here,
and an event's subject follows from its class and fields, so a mismatched pair cannot be written.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from algotrendy_common.events import account, backtest, market, ops, order, risk, signal
from algotrendy_common.events.event import Event

SERVICES = ("ingest", "broker_gateway", "risk", "agent", "backtest", "gateway")


class Delivery(StrEnum):
    """How a reader gets its messages."""

    DURABLE = "durable"
    """Each one, in order, acknowledged after its effect is committed; survives restarts."""
    BATCH = "batch"
    """Like durable, pulled many at a time: for recorders."""
    HOT = "hot"
    """Straight off the wire, at most once; a slow reader skips, and the skipping is counted."""


class Storage(StrEnum):
    FILE = "file"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    storage: Storage
    max_age: timedelta | None = None
    max_bytes: int | None = None
    discard_new: bool = False
    """True: when full, publishing fails. False: the oldest go."""
    work_queue: bool = False
    sealed: bool = False
    """True: nobody can delete or purge."""


_MIB = 1024 * 1024
MARKET = Stream("MARKET", Storage.MEMORY, max_age=timedelta(minutes=10), max_bytes=64 * _MIB)
SIGNAL = Stream("SIGNAL", Storage.FILE, max_age=timedelta(days=30), max_bytes=256 * _MIB)
ORDERS = Stream("ORDERS", Storage.FILE, max_bytes=1024 * _MIB, discard_new=True, sealed=True)
ACCOUNT = Stream("ACCOUNT", Storage.FILE, max_age=timedelta(days=30), max_bytes=256 * _MIB)
RISK = Stream("RISK", Storage.FILE, max_age=timedelta(days=30), max_bytes=256 * _MIB)
BACKTEST_JOBS = Stream("BACKTEST_JOBS", Storage.FILE, max_bytes=64 * _MIB, work_queue=True)
BACKTEST = Stream("BACKTEST", Storage.FILE, max_age=timedelta(days=30), max_bytes=256 * _MIB)
OPS = Stream("OPS", Storage.FILE, max_age=timedelta(days=30), max_bytes=256 * _MIB)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Files in JetStream's object store; whoever else wants one asks an owner."""

    name: str
    owners: tuple[str, ...]
    max_age: timedelta
    max_bytes: int
    """When full, storing fails: nothing that somebody was told of goes before its time."""
    meaning: str

    @property
    def stream(self) -> str:
        """The stream that NATS keeps it in."""
        return f"OBJ_{self.name}"


BACKTEST_ARTEFACTS = Bucket(
    "backtest_artefacts",
    ("backtest",),
    timedelta(days=90),
    2048 * _MIB,
    "Files of results",
)
BUCKETS: tuple[Bucket, ...] = (BACKTEST_ARTEFACTS,)


@dataclass(frozen=True, slots=True)
class Subject:
    """One row: ``pattern`` names fields of the event in braces."""

    pattern: str
    events: tuple[type[Event], ...]
    stream: Stream | None
    """None: heard by whoever listens now, kept nowhere."""
    owners: tuple[str, ...]
    readers: dict[str, Delivery] = field(default_factory=dict)
    meaning: str = ""

    @property
    def wildcard(self) -> str:
        """The subject to subscribe to for all of it."""
        return re.sub(r"\{\w+\}", "*", self.pattern)

    @property
    def slug(self) -> str:
        return re.sub(r"\.\{\w+\}", "", self.pattern).replace(".", "-")

    def consumer(self, service: str) -> str:
        """Name of the durable consumer by which ``service`` reads this subject."""
        return f"{service}-{self.slug}"


_HOT_AT_GATEWAY = {"gateway": Delivery.HOT}

CATALOGUE: tuple[Subject, ...] = (
    Subject(
        "md.trade.{venue}.{symbol}",
        (market.TradePrinted,),
        MARKET,
        ("ingest",),
        {"broker_gateway": Delivery.HOT, "gateway": Delivery.HOT, "ingest": Delivery.BATCH},
        "A trade on a venue's tape",
    ),
    Subject(
        "md.quote.{venue}.{symbol}",
        (market.QuoteChanged,),
        MARKET,
        ("ingest",),
        {
            "broker_gateway": Delivery.HOT,
            "risk": Delivery.HOT,
            "agent": Delivery.HOT,
            "gateway": Delivery.HOT,
            "ingest": Delivery.BATCH,
        },
        "Best bid and ask",
    ),
    Subject(
        "md.book.{venue}.{symbol}",
        (market.BookSnapshotTaken,),
        MARKET,
        ("ingest",),
        {"broker_gateway": Delivery.HOT, "ingest": Delivery.BATCH},
        "Best levels of the order book",
    ),
    Subject(
        "md.bar.{timeframe}.{venue}.{symbol}",
        (market.BarUpdated,),
        MARKET,
        ("ingest",),
        {"agent": Delivery.HOT, "gateway": Delivery.HOT, "ingest": Delivery.BATCH},
        "A candle as it grows, and when it is closed",
    ),
    Subject(
        "md.mark.{venue}.{symbol}",
        (market.MarkPriceChanged,),
        MARKET,
        ("ingest",),
        {},
        "What a perpetual's positions are valued at",
    ),
    Subject(
        "md.funding.{venue}.{symbol}",
        (market.FundingRateChanged,),
        MARKET,
        ("ingest",),
        {},
        "A perpetual's next funding payment",
    ),
    Subject(
        "md.health.{venue}",
        (market.FeedHealthChanged,),
        MARKET,
        ("ingest",),
        {
            "broker_gateway": Delivery.HOT,
            "risk": Delivery.HOT,
            "gateway": Delivery.HOT,
            "ingest": Delivery.BATCH,
        },
        "How well a venue's feed is",
    ),
    Subject(
        "signal.{strategy}.{symbol}",
        (signal.SignalRaised,),
        SIGNAL,
        ("agent",),
        {"gateway": Delivery.HOT, "ingest": Delivery.BATCH},
        "A strategy changed its mind",
    ),
    Subject(
        "agent.strategy.{strategy}",
        (signal.StrategyStateChanged,),
        SIGNAL,
        ("agent",),
        _HOT_AT_GATEWAY,
        "A strategy was started, paused, stopped or changed its position",
    ),
    Subject(
        "order.proposed",
        (order.OrderProposed,),
        ORDERS,
        ("agent", "gateway"),
        {"risk": Delivery.DURABLE, "gateway": Delivery.HOT},
        "Somebody wants an order",
    ),
    Subject(
        "order.approved",
        (order.OrderApproved,),
        ORDERS,
        ("risk",),
        {"broker_gateway": Delivery.DURABLE, "gateway": Delivery.HOT},
        "Risk allows an order, signed and expiring",
    ),
    Subject(
        "order.refused",
        (order.OrderRefused,),
        ORDERS,
        ("risk",),
        {"agent": Delivery.DURABLE, "gateway": Delivery.HOT},
        "Risk refuses an order, with the rule and its numbers",
    ),
    Subject(
        "order.cancel.requested",
        (order.OrderCancelRequested,),
        ORDERS,
        ("agent", "gateway"),
        {"broker_gateway": Delivery.DURABLE},
        "Somebody wants a working order gone",
    ),
    Subject(
        "order.event.{account}",
        (order.OrderUpdated, order.OrderFilled),
        ORDERS,
        ("broker_gateway",),
        {"agent": Delivery.DURABLE, "risk": Delivery.DURABLE, "gateway": Delivery.HOT},
        "An order changed its state, or was filled",
    ),
    Subject(
        "account.position.{account}",
        (account.PositionChanged,),
        ACCOUNT,
        ("broker_gateway",),
        {"risk": Delivery.DURABLE, "gateway": Delivery.HOT},
        "A position after a fill",
    ),
    Subject(
        "account.balance.{account}",
        (account.BalanceChanged,),
        ACCOUNT,
        ("broker_gateway",),
        {"risk": Delivery.DURABLE, "gateway": Delivery.HOT},
        "Balances as the venue has them",
    ),
    Subject(
        "account.reconciled.{account}",
        (account.AccountReconciled,),
        ACCOUNT,
        ("broker_gateway",),
        {"risk": Delivery.DURABLE, "gateway": Delivery.HOT},
        "Our books were compared with the venue's",
    ),
    Subject(
        "account.protection.{account}",
        (account.ProtectionChanged,),
        ACCOUNT,
        ("broker_gateway",),
        {"risk": Delivery.HOT, "gateway": Delivery.HOT},
        "How a position is guarded",
    ),
    Subject(
        "risk.state",
        (risk.RiskStateChanged,),
        RISK,
        ("risk",),
        {"broker_gateway": Delivery.HOT, "agent": Delivery.HOT, "gateway": Delivery.HOT},
        "An account's trading state, equity and use of limits",
    ),
    Subject(
        "risk.halt",
        (risk.HaltChanged,),
        RISK,
        ("risk",),
        {"broker_gateway": Delivery.HOT, "agent": Delivery.HOT, "gateway": Delivery.HOT},
        "The kill switch was engaged or released",
    ),
    Subject(
        "approval.requested",
        (risk.ApprovalRequested,),
        RISK,
        ("risk",),
        _HOT_AT_GATEWAY,
        "A person must decide on an order",
    ),
    Subject(
        "approval.decided",
        (risk.ApprovalDecided,),
        RISK,
        ("gateway",),
        {"risk": Delivery.DURABLE},
        "A person has decided on an order",
    ),
    Subject("risk.breach", (risk.RiskBreached,), RISK, ("risk",), _HOT_AT_GATEWAY, "A limit was broken"),
    Subject(
        "backtest.job",
        (backtest.BacktestRequested,),
        BACKTEST_JOBS,
        ("gateway",),
        {"backtest": Delivery.DURABLE},
        "A backtest to run; whichever worker is free takes it",
    ),
    Subject(
        "backtest.progress.{run_id}",
        (backtest.BacktestProgressed,),
        BACKTEST,
        ("backtest",),
        _HOT_AT_GATEWAY,
        "How far a run is",
    ),
    Subject(
        "backtest.result.{run_id}",
        (backtest.BacktestFinished,),
        BACKTEST,
        ("backtest",),
        _HOT_AT_GATEWAY,
        "A run has ended",
    ),
    Subject(
        "ops.health.{service}",
        (ops.ServiceHealthChanged,),
        OPS,
        SERVICES,
        _HOT_AT_GATEWAY,
        "A service's heartbeat",
    ),
    Subject(
        "ops.alert",
        (ops.AlertRaised,),
        OPS,
        SERVICES,
        {"gateway": Delivery.HOT, "risk": Delivery.HOT},
        "Something that a person should know",
    ),
    Subject("audit.{service}", (ops.AuditRecorded,), OPS, ("gateway",), {}, "Who did what"),
    Subject(
        "deadletter.{service}",
        (ops.MessageDeadLettered,),
        OPS,
        SERVICES,
        _HOT_AT_GATEWAY,
        "A message that could not be handled",
    ),
)

STREAMS: tuple[Stream, ...] = (MARKET, SIGNAL, ORDERS, ACCOUNT, RISK, BACKTEST_JOBS, BACKTEST, OPS)
_BY_EVENT: dict[type[Event], Subject] = {event: row for row in CATALOGUE for event in row.events}


def subject_of(event_class: type[Event]) -> Subject:
    """The catalogue's row for a class of event; raises KeyError for one that is not in it."""
    return _BY_EVENT[event_class]


def address(event: Event) -> str:
    """The full subject an event travels on, from its own fields."""
    return _BY_EVENT[type(event)].pattern.format_map(_Fields(event))


def filtered(event_class: type[Event], **fields: str) -> str:
    """The subject to subscribe to for events of a class with some fields fixed and the others free."""
    row = _BY_EVENT[event_class]
    unknown = fields.keys() - set(re.findall(r"\{(\w+)\}", row.pattern))
    if unknown:
        raise ValueError(f"{row.pattern} has no {', '.join(sorted(unknown))}")
    return re.sub(r"\{(\w+)\}", lambda found: fields.get(found[1], "*"), row.pattern)


def parse(row: Subject, body: bytes) -> Event:
    """The event in a message on ``row``; raises ValueError (pydantic's included) on anything else."""
    if len(row.events) == 1:
        return row.events[0].from_json(body)
    named = json.loads(body).get("kind")
    for event_class in row.events:
        if event_class.__name__ == named:
            return event_class.from_json(body)
    raise ValueError(f"{row.pattern} carries no {named!r}")


class _Fields(dict[str, str]):
    """Lets ``format_map`` read an event's attributes."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self._event = event

    def __missing__(self, key: str) -> str:
        return str(getattr(self._event, key))


def inbox_prefix(service: str) -> str:
    """Where answers to ``service`` arrive; its own, so that nobody else can listen."""
    return f"_INBOX_{service}"
