"""OKX's JSON for markets: REST answers and the data of public channels.

Source: OKX API v5 documentation, "Public data" and "Market data". Invariant: pure; numbers are strings, and sizes of a
swap are contracts.
"""

import binascii
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Side
from algotrendy_common.money import plain
from algotrendy_core.order_book import Level

from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.okx.products import SWAP, contract_value, id_of, kind_of, size

type Json = dict[str, Any]

BARS_MS = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1H": 3_600_000, "2H": 7_200_000,
    "4H": 14_400_000, "6Hutc": 21_600_000, "12Hutc": 43_200_000, "1Dutc": 86_400_000, "6H": 21_600_000,
    "12H": 43_200_000, "1D": 86_400_000,
}  # fmt: skip
DAY_MS = 86_400_000
FUNDING_MS = 28_800_000
CHECKED_LEVELS = 25


def instrument(market: Market) -> Json:
    found = market.instrument
    swap = kind_of(market) == SWAP
    per_contract = contract_value(market)
    most = plain(found.max_quantity / per_contract)
    return {
        "alias": "",
        "auctionEndTime": "",
        "baseCcy": "" if swap else found.base,
        "quoteCcy": "" if swap else found.quote,
        "settleCcy": found.quote if swap else "",
        "category": "1",
        "ctMult": "1" if swap else "",
        "ctType": "linear" if swap else "",
        "ctVal": plain(per_contract) if swap else "",
        "ctValCcy": found.base if swap else "",
        "expTime": "",
        "instFamily": f"{found.base}-{found.quote}" if swap else "",
        "instId": id_of(market),
        "instType": kind_of(market),
        "lever": plain(found.max_leverage) if swap else "",
        "listTime": "1548133413000",
        "lotSz": plain(found.quantity_step / per_contract),
        "maxIcebergSz": most,
        "maxLmtAmt": "20000000",
        "maxLmtSz": most,
        "maxMktAmt": "1000000",
        "maxMktSz": most,
        "maxStopSz": most,
        "maxTriggerSz": most,
        "maxTwapSz": most,
        "minSz": plain(found.min_quantity / per_contract),
        "optType": "",
        "ruleType": "normal",
        "state": "live",
        "stk": "",
        "tickSz": plain(found.price_step),
        "uly": f"{found.base}-{found.quote}" if swap else "",
    }


def day_statistics(market: Market, time_ms: int) -> TapeCandle:
    """The last 24 hours as one candle; the minute 24 hours ago is in it whole."""
    minutes = market.candles.minutes(time_ms - DAY_MS, time_ms + 1)
    total = minutes[0]
    for minute in minutes[1:]:
        total = total.followed_by(minute)
    return total


def ticker(market: Market, time_ms: int) -> Json:
    day = day_statistics(market, time_ms)
    book = market.engine.book
    shown: Json = {"instType": kind_of(market), "instId": id_of(market), "last": plain(market.last_price)}
    for name, side in (("bid", Side.BUY), ("ask", Side.SELL)):
        best = book.levels(side, 1)
        shown[f"{name}Px"] = plain(best[0][0]) if best else ""
        shown[f"{name}Sz"] = plain(size(market, best[0][1])) if best else ""
    last = market.tape[-1].quantity if market.tape else Decimal(0)
    return shown | {
        "lastSz": plain(size(market, last)),
        "open24h": plain(day.open),
        "high24h": plain(day.high),
        "low24h": plain(day.low),
        "volCcy24h": plain(day.volume if kind_of(market) == SWAP else day.quote_volume),
        "vol24h": plain(size(market, day.volume)),
        "sodUtc0": plain(day.open),
        "sodUtc8": plain(day.open),
        "ts": str(time_ms),
    }


def levels(market: Market, found: list[Level]) -> list[list[str]]:
    """Price, size, a field that is always zero, and how many orders."""
    return [[plain(price), plain(size(market, quantity)), "0", "1"] for price, quantity in found]


def book(market: Market, depth: int, time_ms: int) -> Json:
    found = market.engine.book
    bids, asks = (levels(market, found.levels(side, depth)) for side in (Side.BUY, Side.SELL))
    return {"asks": asks, "bids": bids, "ts": str(time_ms), "seqId": found.sequence}


def checksum(bids: list[list[str]], asks: list[list[str]]) -> int:
    """CRC-32 over the best 25 levels, bids and asks in turn, as a signed number."""
    parts: list[str] = []
    for index in range(CHECKED_LEVELS):
        parts += [":".join(side[index][:2]) for side in (bids, asks) if index < len(side)]
    value = binascii.crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value


def funding_rate(market: Market, now_ms: int) -> Json:
    """Nothing is paid here but what the admin API tells to pay, so the rate as it stands is zero."""
    pays_ms = now_ms - now_ms % FUNDING_MS + FUNDING_MS
    return {
        "instType": kind_of(market),
        "instId": id_of(market),
        "fundingRate": "0",
        "fundingTime": str(pays_ms),
        "nextFundingTime": str(pays_ms + FUNDING_MS),
        "method": "current_period",
        "ts": str(now_ms),
    }


def candle(market: Market, found: TapeCandle, closed: bool) -> list[str]:
    return [
        str(found.open_time_ms),
        plain(found.open),
        plain(found.high),
        plain(found.low),
        plain(found.close),
        plain(size(market, found.volume)),
        plain(found.volume),
        plain(found.quote_volume),
        "1" if closed else "0",
    ]


def trade(market: Market, found: TapeTrade) -> Json:
    return {
        "instId": id_of(market),
        "tradeId": str(found.trade_id),
        "px": plain(found.price),
        "sz": plain(size(market, found.quantity)),
        "side": found.taker_side.value,
        "ts": str(found.time_ms),
        "count": "1",
        "seqId": found.trade_id,
    }
