"""Binance's messages and REST rows in the platform's words, number for number.

Invariant: what is not exactly a trade, a quote or a candle raises (ValueError, KeyError, TypeError); nothing is
guessed and nothing passes through a float.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import QuoteTick, Stamp, TradeTick

VENUE = "binance"


def trade_of(message: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A ``trade`` message: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#trade-streams"""
    number = int(message["t"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(number),
        sequence=number,
        price=positive(message["p"]),
        quantity=positive(message["q"]),
        side=Side.SELL if message["m"] else Side.BUY,
        event_time=from_ms(message["T"]),
        received=received,
    )


def quote_of(message: dict[str, Any], symbol: str, event_time: datetime, received: Stamp) -> QuoteTick:
    """A ``bookTicker`` message, which on spot has neither a name nor a time."""
    return QuoteTick(
        symbol, positive(message["b"]), number(message["B"]), positive(message["a"]), number(message["A"]),
        event_time, received,
    )  # fmt: skip


def bar_of(row: list[Any], timeframe: Timeframe) -> Bar:
    """A row of ``klines``."""
    return Bar(
        timeframe,
        from_ms(int(row[0])),
        positive(row[1]),
        positive(row[2]),
        positive(row[3]),
        positive(row[4]),
        volume=number(row[5]),
        quote_volume=number(row[7]),
        trade_count=int(row[8]),
        complete=True,
    )


def historic_trade_of(row: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A row of ``/api/v3/trades``."""
    number = int(row["id"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(number),
        sequence=number,
        price=positive(row["price"]),
        quantity=positive(row["qty"]),
        side=Side.SELL if row["isBuyerMaker"] else Side.BUY,
        event_time=from_ms(int(row["time"])),
        received=received,
    )


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the filters as Binance wrote them; ccxt's own numbers are floats."""
    filters = {entry["filterType"]: entry for entry in market["info"]["filters"]}
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    base, _, quote = symbol.partition("-")
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=base,
        quote=quote,
        price_step=Decimal(filters["PRICE_FILTER"]["tickSize"]),
        quantity_step=Decimal(filters["LOT_SIZE"]["stepSize"]),
        min_quantity=Decimal(filters["LOT_SIZE"]["minQty"]),
        max_quantity=Decimal(filters["LOT_SIZE"]["maxQty"]),
        min_notional=Decimal(notional["minNotional"]),
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
    )
