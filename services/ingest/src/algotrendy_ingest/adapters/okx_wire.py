"""OKX's messages and REST rows in the platform's words, number for number.

Invariant: what is not exactly a trade, a quote or a candle raises (ValueError, KeyError, TypeError); nothing is guessed
and nothing passes through a float. Sizes of a swap are contracts there and base here: ``size`` is base in one.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import QuoteTick, Stamp, TradeTick

VENUE = "okx"
PERPETUAL = "-PERP"
BARS = {
    Timeframe.M1: "1m",
    Timeframe.M5: "5m",
    Timeframe.M15: "15m",
    Timeframe.H1: "1H",
    Timeframe.H4: "4H",
    Timeframe.D1: "1Dutc",
}


def market_id(symbol: str) -> str:
    """``BTC-USDT-PERP`` is ``BTC-USDT-SWAP`` there."""
    return f"{symbol.removesuffix(PERPETUAL)}-SWAP" if symbol.endswith(PERPETUAL) else symbol


def ccxt_name(symbol: str) -> str:
    base, quote, *perpetual = symbol.split("-")
    return f"{base}/{quote}:{quote}" if perpetual else f"{base}/{quote}"


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the listing as OKX wrote it (``/api/v5/public/instruments``); ccxt's own numbers are floats.

    Raises ValueError for a swap that is not settled in its quote currency: its profit would be in another.
    """
    listed = market["info"]
    swap = listed["instType"] == "SWAP"
    if swap and listed["ctType"] != "linear":
        raise ValueError(f"{listed['instId']} is not linear")
    size = positive(listed["ctVal"]) * positive(listed["ctMult"] or "1") if swap else Decimal(1)
    base, quote = (listed["ctValCcy"], listed["settleCcy"]) if swap else (listed["baseCcy"], listed["quoteCcy"])
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=base,
        quote=quote,
        price_step=positive(listed["tickSz"]),
        quantity_step=positive(listed["lotSz"]) * size,
        min_quantity=positive(listed["minSz"]) * size,
        max_quantity=positive(listed["maxLmtSz"]) * size,
        min_notional=ZERO,  # OKX sets no least value of an order
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
        kind="perpetual" if swap else "spot",
        contract_size=size,
        max_leverage=positive(listed["lever"]) if swap else Decimal(1),
    )


def trade_of(row: dict[str, Any], symbol: str, size: Decimal, received: Stamp) -> TradeTick:
    """A row of the ``trades`` channel, or of ``/api/v5/market/trades``, which puts none together.

    ``count`` trades of one taker at one price are one row, under the number of the last.
    """
    sequence = int(row["tradeId"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(row["px"]),
        quantity=positive(row["sz"]) * size,
        side=Side(row["side"]),
        event_time=from_ms(int(row["ts"])),
        received=received,
        count=int(row.get("count") or 1),
    )


def quote_of(row: dict[str, Any], symbol: str, size: Decimal, received: Stamp) -> QuoteTick | None:
    """A row of ``bbo-tbt``; None while a side of the book is empty."""
    if not row["bids"] or not row["asks"]:
        return None
    (bid, bid_size, *_), (ask, ask_size, *_) = row["bids"][0], row["asks"][0]
    return QuoteTick(
        symbol,
        positive(bid),
        number(bid_size) * size,
        positive(ask),
        number(ask_size) * size,
        from_ms(int(row["ts"])),
        received,
    )


def bar_of(row: list[Any], timeframe: Timeframe, swap: bool) -> Bar:
    """A row of ``candles``: volume is in base (spot) or in contracts and then in base (swap), and in quote at the end.

    OKX does not count the trades of a candle.
    """
    return Bar(
        timeframe,
        from_ms(int(row[0])),
        positive(row[1]),
        positive(row[2]),
        positive(row[3]),
        positive(row[4]),
        volume=number(row[6] if swap else row[5]),
        quote_volume=number(row[7]),
        trade_count=0,
        complete=True,
    )
