"""What leaves for an order, field by field, against what the library's own recorded cases send for the same order.

The cases are in ``../data/order_requests.json``; where we mean to send something else, the difference is written down
here with its reason, and nothing else may differ. What each call needs anew (identifiers, stamps, signatures) is left
out on both sides.
"""

import contextlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused
from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.ids import new_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = {
    (case["venue"], case["description"]): case
    for case in json.loads((Path(__file__).parents[1] / "data" / "order_requests.json").read_text())
}
ANEW = {
    "binance": {"timestamp", "signature", "recvWindow", "newClientOrderId", "newOrderRespType"},
    "bybit": {"orderLinkId"},
    "coinbase": {"client_order_id"},
    "cryptocom": {"id", "nonce", "sig", "api_key", "method", "params.client_oid", "params.broker_id"},
    "kraken": {"nonce", "cl_ord_id", "userref"},
    "okx": {"clOrdId", "algoClOrdId", "tag"},
}
"""Broker tags are the library's; ours sends none."""


@dataclass(frozen=True)
class Same:
    """The order in our terms, and what may differ: field to (theirs, ours), None where it is not sent."""

    venue: str
    description: str
    terms: dict[str, Any]
    differs: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.venue}: {self.description}"


LIMIT = {"type": OrderType.LIMIT}
# Ours says what the library leaves to Bybit's defaults: good till cancelled, one-way mode, the last price.
GTC = {"timeInForce": (None, "GTC")}
ONE_WAY = {"positionIdx": (None, 0)}
BY_LAST = {"triggerBy": (None, "LastPrice")}
# Whatever an account prefers, each fill then says what it cost.
FEE_IN_QUOTE = {"oflags": (None, "fciq")}
SAME = [
    Same("binance", "Spot limit buy with postOnly", LIMIT | {"time_in_force": TimeInForce.POST_ONLY}),
    Same("binance", "spot order with weird amount", LIMIT | {"quantity": Decimal("0.00078")}),
    Same("binance", "Spot limit buy with triggerPrice", {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(100)}),
    Same("bybit", "spot market buy order", {"type": OrderType.MARKET}),
    Same("bybit", "Create market buy with base amount (UTA only)", {"type": OrderType.MARKET}),
    Same("bybit", "Spot limit buy with postOnly", LIMIT | {"time_in_force": TimeInForce.POST_ONLY}),
    Same(
        "bybit",
        "spot limit buy with triggerPrice",
        {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(36001)},
        GTC,
    ),
    Same(
        "bybit",
        "swap limit sell stopLossPrice",
        {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(82000), "reduce_only": True},
        GTC | ONE_WAY | BY_LAST,
    ),
    Same(
        "bybit",
        "Swap limit sell with reduceOnly and postOnly",
        LIMIT | {"time_in_force": TimeInForce.POST_ONLY, "reduce_only": True},
        ONE_WAY,
    ),
    Same(
        "bybit",
        "takeProfit limit order",
        {"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal(10000), "reduce_only": True},
        GTC | ONE_WAY | BY_LAST,
    ),
    Same(
        "bybit",
        "sl market order",
        {"type": OrderType.STOP, "trigger_price": Decimal(4000), "reduce_only": True},
        ONE_WAY | BY_LAST,
    ),
    Same("coinbase", "spot limit buy", LIMIT),
    Same("coinbase", "Spot market sell", {"type": OrderType.MARKET}),
    Same(
        "coinbase",
        "Spot limit buy with triggerPrice",
        # The library's default is a buy as the price falls.
        {"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal("0.2")},
    ),
    Same("coinbase", "create limit IOC order", LIMIT | {"time_in_force": TimeInForce.IOC}),
    Same(
        "kraken",
        "createOrder long precisions",
        LIMIT | {"quantity": Decimal("0.00012345"), "limit_price": Decimal("12345.1")},
        FEE_IN_QUOTE,
    ),
    Same("kraken", "Spot market sell", {"type": OrderType.MARKET}, FEE_IN_QUOTE),
    Same(
        "kraken",
        "Stop loss limit order (type 2)",
        {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(55)},
        FEE_IN_QUOTE,
    ),
    Same(
        "kraken",
        "take profit limit order",
        {"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal(120)},
        FEE_IN_QUOTE,
    ),
    Same("cryptocom", "Spot limit buy order with postOnly flag", LIMIT | {"time_in_force": TimeInForce.POST_ONLY}),
    Same("okx", "Spot market buy order", {"type": OrderType.MARKET}),
    Same(
        "okx",
        "spot order with clientOrderid",
        LIMIT,
        # It is about market orders only.
        {"tgtCcy": ("base_ccy", None)},
    ),
    Same(
        "okx",
        "spot takeProfitPrice buy order",
        {"type": OrderType.TAKE_PROFIT, "trigger_price": Decimal(90)},
        # The library falls back on margin; we trade spot with what is there.
        {"tdMode": ("cross", "cash")},
    ),
    Same(
        "okx",
        "spot stopLossPrice sell order",
        {"type": OrderType.STOP, "trigger_price": Decimal(90)},
        {"tdMode": ("cross", "cash"), "tgtCcy": (None, "base_ccy")},
    ),
]


def fields(text: str) -> dict[str, Any]:
    """A body as flat fields: JSON, or a form."""
    try:
        values = json.loads(text)
    except ValueError:
        return dict(parse_qsl(text))
    return flat(values[0] if isinstance(values, list) else values)


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def without_new(values: dict[str, Any], venue: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ANEW[venue]}


def our_symbol(text: str) -> str:
    """Of the bases that are listed there: whichever coin a case is about, the fields are the same."""
    base = "BTC" if text.startswith("BTC") or ":" in text else "LTC"
    return f"{base}-USDT{'-PERP' if ':' in text else ''}"


async def test_orders_leave_as_the_recorded_cases_have_them(contract, garbler):
    standing, address = garbler
    asked = [same for same in SAME if same.venue == contract.name]
    async with contract.opened(http_url=address) as venue:
        await venue.connect()
        told = {str(same): await differences(same, contract, venue, standing) for same in asked}

    assert told == {str(same): same.differs for same in asked}
    assert told


async def differences(same, contract, venue, standing):
    """Field to (theirs, ours), and the path where it is another one."""
    case = CASES[same.venue, same.description]
    theirs_symbol, _, side, amount, price, *_ = [*case["input"], None, None]
    symbol, client_id = our_symbol(theirs_symbol), new_id()
    shape = {"symbol": symbol, "side": Side(side), "quantity": Decimal(str(amount))}
    if same.terms["type"].priced:
        shape["limit_price"] = Decimal(str(price))
    if symbol.endswith("-PERP"):
        shape["margin_mode"] = MarginMode.CROSS
    # What the simulated venue makes of prices of another day does not matter here.
    with contextlib.suppress(VenueRefused, OutcomeUnknown):
        await venue.submit(client_id, contract.terms(**shape | same.terms))

    path, sent = next((path, body) for path, body in standing.posted if client_id in body)
    base = theirs_symbol.split("/")[0]
    theirs = without_new(fields(case["output"].replace(base, symbol.split("-")[0])), same.venue)
    ours = without_new(fields(sent), same.venue)
    found = {
        name: (theirs.get(name), ours.get(name))
        for name in theirs.keys() | ours.keys()
        if theirs.get(name) != ours.get(name)
    }
    recorded_path = urlsplit(case["url"]).path.replace("/batch-orders", "/order")
    return found if path == recorded_path else found | {"path": (recorded_path, path)}
