"""What the stream says. ``{"seq": n, "kind": k, "data": {...}}``, the number by client, the rest made once for all."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Mode, Timeframe
from algotrendy_common.events.risk import TradingState
from algotrendy_common.ids import AccountId, Symbol
from pydantic import Field

from algotrendy_gateway.domain.accounts import Balance, OverviewChange, Position
from algotrendy_gateway.domain.market import Feed, Quote
from algotrendy_gateway.domain.orders import Order
from algotrendy_gateway.domain.risk import Approval, Halt
from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.domain.strategies import Strategy


class Kind(StrEnum):
    HELLO = "hello"
    SNAPSHOT = "snapshot"
    QUOTE = "quote"
    TRADE = "trade"
    BAR = "bar"
    ORDER = "order"
    FILL = "fill"
    POSITION = "position"
    BALANCE = "balance"
    STRATEGY = "strategy"
    SIGNAL = "signal"
    OVERVIEW = "overview"
    FEED = "feed"
    ALERT = "alert"
    BACKTEST = "backtest"
    HALT = "halt"
    APPROVAL = "approval"
    APPROVAL_ENDED = "approval_ended"
    HEARTBEAT = "heartbeat"


class Hello(Shape):
    mode: Mode
    replay: bool
    account: AccountId
    server_time: Instant
    version: str


class Snapshot(Shape):
    quotes: tuple[Quote, ...]
    orders: tuple[Order, ...]
    """Those that something can still happen to."""
    positions: tuple[Position, ...]
    balances: tuple[Balance, ...]
    strategies: tuple[Strategy, ...]
    overview: OverviewChange
    feeds: tuple[Feed, ...]
    halts: tuple[Halt, ...]
    """Those in force."""
    approvals: tuple[Approval, ...]
    """Orders that wait for a person."""


class Heartbeat(Shape):
    server_time: Instant
    mode: Mode
    trading_state: TradingState | None


class Subscribe(Shape):
    """Trades and bars go to those who ask for them."""

    op: Literal["subscribe"]
    symbols: tuple[Symbol, ...] = Field(max_length=200)
    timeframe: Timeframe


class Pong(Shape):
    op: Literal["pong"]


@dataclass(frozen=True, slots=True)
class Delta:
    """A change on its way out.

    ``account`` None: for everybody. ``key``: of two deltas with the same key that wait, only the newer is sent; None:
    every one is sent. ``symbol`` and ``timeframe``: only for those who subscribed to them.
    """

    kind: Kind
    data: Shape
    account: str | None = None
    key: tuple[str, ...] | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None


def tail(kind: Kind, data: Shape) -> str:
    """The message without its beginning; ``head`` completes it."""
    return f'"kind":"{kind.value}","data":{data.model_dump_json()}}}'


def head(seq: int) -> str:
    return f'{{"seq":{seq},'
