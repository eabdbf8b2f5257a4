"""What the venues' recorded answers and messages say, read by our adapters field by field: nothing lost, nothing bent.

The payloads are in ``data/answers.json``, unchanged; what each must be read as stands here. Requests are compared in
``venue_contract/test_requests.py``, where they really leave.
"""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from algotrendy_broker_gateway.adapters import (
    binance_messages,
    bybit_messages,
    coinbase_messages,
    cryptocom_messages,
    kraken_messages,
    okx_messages,
)
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, MarginMode, OrderType, Side, TimeInForce
from algotrendy_core.instruments import Instrument, InstrumentKind

RECORDED = {
    (row["venue"], row["case"]): row["payload"]
    for row in json.loads((Path(__file__).parent / "data" / "answers.json").read_text())
}
NAMES = {
    "BTCUSDT": "BTC-USDT", "ETHUSDT": "ETH-USDT", "LTCBTC": "LTC-BTC", "linear/BTCUSDT": "BTC-USDT-PERP",
    "linear/ETHUSDT": "ETH-USDT-PERP", "linear/LTCUSDT": "LTC-USDT-PERP", "BTC-USD": "BTC-USD", "ETH-USD": "ETH-USD",
    "BTCUSD-PERP": "BTC-USD-PERP", "XBTUSDT": "BTC-USDT", "XXBTZUSD": "BTC-USD",
}  # fmt: skip
name_of = NAMES.__getitem__
D = Decimal


def assets_of(symbol):
    base, quote, *_ = symbol.split("-")
    return base, quote


def quote_of(symbol):
    return assets_of(symbol)[1]


def said(thing, *fields):
    return tuple(getattr(thing, field) for field in fields)


ORDER = (
    "venue_order_id", "client_id", "symbol", "side", "type", "time_in_force", "quantity", "limit_price",
    "executed_quantity", "standing",
)  # fmt: skip
FILL = ("trade_id", "venue_order_id", "symbol", "side", "price", "quantity", "fee", "fee_currency", "liquidity")
BALANCE = ("asset", "total", "available", "reserved")
POSITION = ("symbol", "quantity", "entry_price", "mark_price", "leverage", "margin_mode")


def test_every_recorded_answer_is_read_by_a_test():
    assert {venue for venue, _ in RECORDED} == {"binance", "bybit", "coinbase", "cryptocom", "kraken", "okx"}
    read = Path(__file__).read_text()
    assert [case for venue, case in RECORDED if f'RECORDED["{venue}", "{case}"]' not in read] == []


# -- Binance -----------------------------------------------------------------------------------------------------------


def test_binance_answers_with_every_fill():
    report = binance_messages.answered_order(RECORDED["binance", "order answer with its fills"], name_of)

    assert said(report.order, *ORDER) == (
        "28", "6gCrw2kRUAF9CvJDGP16IP", "BTC-USDT", Side.SELL, OrderType.MARKET, TimeInForce.GTC, D(10), None, D(10),
        Standing.DONE,
    )  # fmt: skip
    assert [said(fill, "trade_id", "price", "quantity", "fee", "fee_currency") for fill in report.fills] == [
        ("56", D(4000), D(1), D(4), "USDT"),
        ("57", D(3999), D(5), D("19.995"), "USDT"),
        ("58", D(3998), D(2), D("7.996"), "USDT"),
        ("59", D(3997), D(1), D("3.997"), "USDT"),
        ("60", D(3995), D(1), D("3.995"), "USDT"),
    ]


def test_binance_lists_open_orders():
    (row,) = RECORDED["binance", "open orders"]
    order = binance_messages.answered_order(row, name_of).order

    assert said(order, *ORDER) == (
        "1", "myOrder1", "LTC-BTC", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, D(1), D("0.1"), D(0), Standing.WORKING,
    )  # fmt: skip
    assert order.created_at == from_ms(1499827319559)


@pytest.mark.parametrize(
    ("message", "client_id", "standing", "executed", "reason"),
    [
        (RECORDED["binance", "cancelled"], "O-12345-test-cancel", Standing.CANCELLED, D("0.1"), "cancelled"),
        (RECORDED["binance", "rejected"], "O-12345-test-reject", Standing.REJECTED, D(0), "GTX_ORDER_REJECT"),
    ],
)
def test_binance_tells_an_end(message, client_id, standing, executed, reason):
    report = binance_messages.execution_report(message, name_of, quote_of)

    assert said(report.order, "client_id", "standing", "executed_quantity", "reason") == (
        client_id, standing, executed, reason,
    )  # fmt: skip
    assert report.fills == ()


def test_binance_has_told_more_since_an_old_example_was_written():
    """Without the list's id it cannot be known whether the order is one leg of a pair: it is not half understood."""
    with pytest.raises(KeyError):
        binance_messages.execution_report(RECORDED["binance", "expired"], name_of, quote_of)


def test_binance_tells_changed_balances():
    balances = binance_messages.changed_balances(RECORDED["binance", "changed balances"])

    assert [said(one, *BALANCE) for one in balances] == [
        ("USDT", D(12500), D(10000), D(2500)),
        ("ETH", D(5), D(5), D(0)),
    ]


# -- Bybit -------------------------------------------------------------------------------------------------------------


def test_bybit_tells_an_execution():
    fill = bybit_messages.execution(RECORDED["bybit", "execution"], name_of, assets_of)

    assert said(fill, *FILL) == (
        "0ab1bdf7-4219-438b-b30a-32ec863018f7", "9aac161b-8ed6-450d-9cab-c5cc67c21784", "BTC-USDT-PERP", Side.SELL,
        D("95900.1"), D("0.5"), D("26.3725275"), "USDT", Liquidity.TAKER,
    )  # fmt: skip
    assert fill.event_time == from_ms(1746270400353)


def test_bybit_tells_orders():
    filled = bybit_messages.order(RECORDED["bybit", "filled"], "linear", name_of)
    waiting = bybit_messages.order(RECORDED["bybit", "stop limit"], "linear", name_of)

    assert said(filled, "venue_order_id", "client_id", "limit_price", "executed_quantity", "standing") == (
        "5cf98598-39a7-459e-97bf-76ca765ee020", "test-client-order-001", D("30000.5"), D("0.1"), Standing.DONE,
    )  # fmt: skip
    assert said(waiting, *ORDER) == (
        "test-stop-limit-001", "test-client-stop-limit-001", "BTC-USDT-PERP", Side.SELL, OrderType.STOP_LIMIT,
        TimeInForce.GTC, D("0.1"), D(44500), D(0), Standing.WORKING,
    )  # fmt: skip
    assert (waiting.trigger_price, waiting.waiting) == (D(45000), True)


def test_bybit_lists_open_orders():
    orders = [bybit_messages.order(row, "linear", name_of) for row in RECORDED["bybit", "open orders"]]

    assert [said(order, "client_id", "side", "limit_price", "quantity", "standing") for order in orders] == [
        ("client-open-1", Side.BUY, D("3930.41"), D("0.01"), Standing.WORKING),
        ("client-open-2", Side.SELL, D("3940.42"), D("0.01"), Standing.WORKING),
    ]


def test_bybit_tells_its_wallet_and_positions():
    balances = bybit_messages.balances(RECORDED["bybit", "wallet"])
    position = bybit_messages.position(RECORDED["bybit", "position"], name_of)

    assert [said(one, *BALANCE) for one in balances] == [
        ("BTC", D("0.00102964"), D("0.00092964"), D("0.0001")),
        ("USDT", D("9647.75537647"), D("9519.89806037"), D("127.8573161")),
    ]
    assert said(position, *POSITION) == ("LTC-USDT-PERP", D(1), D(70), D(70), D(10), MarginMode.CROSS)


# -- Coinbase ----------------------------------------------------------------------------------------------------------


def test_coinbase_lists_orders():
    working, done = (coinbase_messages.order(row, name_of) for row in RECORDED["coinbase", "orders"])

    assert said(working, *ORDER) == (
        "0000-000000-000001", "11111-000000-000001", "BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, D("0.01"),
        D(45000), D(0), Standing.WORKING,
    )  # fmt: skip
    assert said(done, "client_id", "type", "quantity", "executed_quantity", "standing") == (
        "11111-000000-000002", OrderType.MARKET, D("0.0325"), D("0.0325"), Standing.DONE,
    )  # fmt: skip


def test_coinbase_tells_an_order():
    message = RECORDED["coinbase", "told"]
    (row,) = message["events"][0]["orders"]
    order = coinbase_messages.told(row, message["timestamp"], name_of, None)

    assert said(order, "venue_order_id", "client_id", "side", "quantity", "executed_quantity", "standing") == (
        "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "11111-000000-000001", Side.BUY, D("0.001"), D(0), Standing.WORKING,
    )  # fmt: skip


def test_coinbase_lists_fills_and_accounts():
    (row,) = RECORDED["coinbase", "fills"]
    fill = coinbase_messages.fill(row, name_of, assets_of)
    (balance,) = coinbase_messages.balances(RECORDED["coinbase", "accounts"])

    assert said(fill, "trade_id", "venue_order_id", "price", "quantity", "fee", "fee_currency") == (
        "22222-2222222-22222222", "0000-000000-000000", D(10000), D("0.001"), D("1.25"), "USD",
    )  # fmt: skip
    assert said(balance, *BALANCE) == ("BTC", D("2.46"), D("1.23"), D("1.23"))


# -- Crypto.com --------------------------------------------------------------------------------------------------------


def test_cryptocom_shows_orders():
    shown = cryptocom_messages.order(RECORDED["cryptocom", "order"], name_of)
    (row,) = RECORDED["cryptocom", "open orders"]

    assert said(shown, *ORDER) == (
        "19848525", "1613571154900", "BTC-USD-PERP", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, D("0.01"), D(50000),
        D(0), Standing.WORKING,
    )  # fmt: skip
    assert said(cryptocom_messages.order(row, name_of), *ORDER) == said(shown, *ORDER)
    assert shown.created_at == from_ms(1613575617173)


def test_cryptocom_lists_trades():
    (row,) = RECORDED["cryptocom", "trades"]
    fill = cryptocom_messages.own_trade(row, name_of)

    assert said(fill, *FILL) == (
        "38554669", "19708564", "BTC-USD-PERP", Side.BUY, D("51278.5"), D("0.05"), D("1.02557"), "USD",
        Liquidity.MAKER,
    )  # fmt: skip


def test_cryptocom_lists_balances():
    balances = cryptocom_messages.balances(RECORDED["cryptocom", "balances"])

    assert [said(one, "asset", "total", "reserved") for one in balances] == [
        ("CRO", D("24422.72427884"), D(0)),
        ("USD", D("3113.50747209"), D(0)),
        ("USDT", D("0.19411607"), D(0)),
        ("DAI", D("0.19387960"), D(0)),
    ]


# -- Kraken ------------------------------------------------------------------------------------------------------------


def nobody_asked(client_id):
    return None


def test_kraken_lists_orders():
    txid, row = next(iter(RECORDED["kraken", "open orders"].items()))
    working = kraken_messages.order(txid, row, name_of, nobody_asked)
    txid, row = next(iter(RECORDED["kraken", "closed orders"].items()))
    closed = kraken_messages.order(txid, row, name_of, nobody_asked)

    assert said(working, *ORDER) == (
        "O26VBY-ISGAE-JP5TLU", "O26VBY-ISGAE-JP5TLU", "BTC-USDT", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, D("0.5"),
        D(29500), D(0), Standing.WORKING,
    )  # fmt: skip
    assert said(closed, "venue_order_id", "executed_quantity", "standing") == (
        "O5KZFT-GH3AD-LP6TLU", D("0.5"), Standing.DONE,
    )  # fmt: skip


def test_kraken_lists_trades():
    fills = [
        kraken_messages.trade(trade_id, row, name_of, assets_of)
        for trade_id, row in RECORDED["kraken", "trades"].items()
    ]

    assert [said(fill, *FILL) for fill in fills] == [
        ("THVRQM-33VKH-UCI7BS", "OQCLML-BW3P3-BUCMWZ", "BTC-USD", Side.BUY, D(30010), D("0.02"), D(0), "USD",
         Liquidity.MAKER),
        ("TCWJEG-FL4SZ-3FKGH6", "OQCLML-BW3P3-BUCMWZ", "BTC-USD", Side.BUY, D(30010), D("0.01"), D(0), "USD",
         Liquidity.MAKER),
    ]  # fmt: skip


def test_kraken_lists_margin_positions():
    (position,) = kraken_messages.positions(RECORDED["kraken", "margin positions"], name_of, from_ms(0))

    assert said(position, "symbol", "quantity", "entry_price") == ("BTC-USD", D("0.5"), D(100000))


# -- OKX ---------------------------------------------------------------------------------------------------------------


def okx_instrument(market_id):
    swap = market_id.endswith("-SWAP")
    base, quote = market_id.split("-")[:2]
    return Instrument(
        venue="okx", symbol=f"{base}-{quote}{'-PERP' if swap else ''}", base=base, quote=quote, price_step="0.1",
        quantity_step="0.00000001", min_quantity="0.00001", max_quantity="9000", min_notional="0", maker_fee="0",
        taker_fee="0", kind=InstrumentKind.PERPETUAL if swap else InstrumentKind.SPOT,
        contract_size="0.01" if swap else "1",
    )  # fmt: skip


def test_okx_shows_orders():
    bought = okx_messages.order(RECORDED["okx", "filled market order"], okx_instrument)
    pending = okx_messages.order(RECORDED["okx", "pending order"], okx_instrument).order
    fok = okx_messages.order(RECORDED["okx", "fill or kill"], okx_instrument).order

    # It was told to spend 100 USDT: what it bought is its quantity.
    assert said(bought.order, "type", "quantity", "executed_quantity", "standing") == (
        OrderType.MARKET, D("0.00192834"), D("0.00192834"), Standing.DONE,
    )  # fmt: skip
    assert bought.fills == ()
    assert said(pending, "venue_order_id", "type", "quantity", "limit_price", "standing") == (
        "301835739059335168", OrderType.LIMIT, D(1), D(59200), Standing.WORKING,
    )  # fmt: skip
    assert said(fok, "client_id", "time_in_force", "standing") == ("FOK-TEST-001", TimeInForce.FOK, Standing.DONE)


def test_okx_tells_an_order_and_its_fill():
    report = okx_messages.order(RECORDED["okx", "order channel"], okx_instrument)

    assert said(report.order, *ORDER) == (
        "2497956918703120384", "001BTCUSDT20250106001", "BTC-USDT-PERP", Side.BUY, OrderType.MARKET, TimeInForce.GTC,
        D("0.0003"), None, D("0.0003"), Standing.DONE,
    )  # fmt: skip
    assert [said(fill, *FILL) for fill in report.fills] == [
        ("1518905529", "2497956918703120384", "BTC-USDT-PERP", Side.BUY, D("103698.9"), D("0.0003"), D("0.021776769"),
         "USDT", Liquidity.MAKER),
    ]  # fmt: skip


def test_okx_tells_what_an_algo_order_made():
    report = okx_messages.order(RECORDED["okx", "order of an algo order"], okx_instrument)

    assert said(report.order, "venue_order_id", "type", "standing", "reduce_only") == (
        "algo:706620792746729474", OrderType.MARKET, Standing.DONE, True,
    )  # fmt: skip
    assert [said(fill, "price", "quantity", "fee") for fill in report.fills] == [
        (D(101950), D("0.0001"), D("0.02039")),
    ]


def test_okx_shows_algo_orders():
    waiting, limited, odd, cancelled = RECORDED["okx", "algo channel"][:4]
    order = okx_messages.algo(waiting, okx_instrument).order
    trailing = okx_messages.algo(RECORDED["okx", "trailing algo order"], okx_instrument).order

    assert said(order, *ORDER) == (
        "algo:706620792746729472", "STOP001BTCUSDT20250120", "BTC-USDT-PERP", Side.SELL, OrderType.STOP,
        TimeInForce.GTC, D("0.0001"), None, D(0), Standing.WORKING,
    )  # fmt: skip
    assert (order.trigger_price, order.waiting, order.reduce_only) == (D(95000), True, True)
    assert okx_messages.algo(limited, okx_instrument).order.limit_price == D(106000)
    assert okx_messages.algo(cancelled, okx_instrument).order.standing is Standing.CANCELLED
    with pytest.raises(KeyError):
        okx_messages.algo(odd, okx_instrument)
    assert said(trailing, "type", "trailing_ratio", "trigger_price") == (
        OrderType.TRAILING_STOP, D("0.05"), D("53423.16"),
    )  # fmt: skip


def test_okx_lists_fills_and_rates():
    fill = okx_messages.own_fill(RECORDED["okx", "fill"], okx_instrument)

    assert said(fill, *FILL) == (
        "744876980", "680800019749904384", "BTC-USDT", Side.BUY, D(51858), D("0.00192834"), D("0.00000192834"), "BTC",
        Liquidity.TAKER,
    )  # fmt: skip
    assert okx_messages.fee_rates(RECORDED["okx", "fee rates"]) == (D("0.0008"), D("0.001"))


def test_okx_shows_balances_and_positions():
    (cash,) = okx_messages.balances(RECORDED["okx", "balance"])
    told = okx_messages.balances(RECORDED["okx", "account channel"])
    listed = SimpleNamespace(symbol="ETH-USD-210430", contract_size=D(10))
    position = okx_messages.position(RECORDED["okx", "position"], lambda market_id: listed)

    assert said(cash, *BALANCE) == ("USDT", D("94.42612990333333"), D("94.42612990333333"), D(0))
    assert [one.total for one in told][:2] == [D("100.52768569797846"), D("0.0000000051")]
    assert said(position, *POSITION) == (
        "ETH-USD-210430", D(10), D("2566.31"), D("2353.849"), D(10), MarginMode.ISOLATED,
    )  # fmt: skip
