"""What the venue says of the account's books: balances, and fills behind a cursor that never skips one."""

from decimal import Decimal

import pytest
from algotrendy_common.enums import OrderType, Side

pytestmark = pytest.mark.asyncio(loop_scope="session")
SPOT = "BTC-USDT"


def exactly(fill):
    return fill.price, fill.quantity, fill.fee, fill.fee_currency


def written(row):
    return Decimal(row["price"]), Decimal(row["qty"]), Decimal(row["commission"]), row["commissionAsset"]


async def test_balances_are_the_venues_own(contract):
    client_id, report = await contract.submit(quantity=Decimal("0.123457"))
    await contract.ends(client_id, report)
    await contract.rest(quantity=Decimal("0.3"))

    balances = await contract.venue.balances()

    assert {row.asset: (row.total, row.available) for row in balances} == await contract.balances()
    assert all(row.reserved == row.total - row.available for row in balances)


async def test_the_cursor_skips_nothing(contract):
    cursor = await contract.venue.fills_cursor(SPOT)
    seen = {}
    for number in range(3):
        side = Side.BUY if number % 2 else Side.SELL
        client_id, report = await contract.submit(side=side, quantity=Decimal("0.41"))
        await contract.ends(client_id, report)
        page = await contract.venue.fills_after(SPOT, cursor)
        times = [fill.event_time for fill in page.fills]
        assert times == sorted(times)
        seen |= {fill.trade_id: exactly(fill) for fill in page.fills}
        cursor = page.cursor

    rows = await contract.fills()
    assert sorted(seen.values()) == sorted(map(written, rows))
    assert len(seen) == len(rows) >= 3
    again = await contract.venue.fills_after(SPOT, cursor)
    assert {fill.trade_id for fill in again.fills} <= seen.keys()


async def test_the_cursor_of_now_leaves_the_past_behind(contract):
    client_id, report = await contract.submit()
    first = await contract.ends(client_id, report)
    cursor = await contract.venue.fills_cursor(SPOT)
    later_id, later = await contract.submit(side=Side.SELL, quantity=Decimal("0.02"))
    await contract.ends(later_id, later)

    page = await contract.venue.fills_after(SPOT, cursor)

    expected = await contract.venue.fills_of(SPOT, later.order.venue_order_id)
    assert {fill.trade_id for fill in expected} <= {fill.trade_id for fill in page.fills}
    assert first.order.executed_quantity == Decimal("0.01")


async def test_numbers_pass_no_float(contract):
    """Seventeen digits survive in price, quantity and fee: a float would bend the last of them."""
    client_id, report = await contract.submit(quantity=Decimal("1.234567"), side=Side.SELL)
    await contract.ends(client_id, report)

    fills = await contract.venue.fills_of(SPOT, report.order.venue_order_id)
    numbers = [number for fill in fills for number in (fill.price, fill.quantity, fill.fee)]
    assert all(isinstance(number, Decimal) for number in numbers)
    (own,) = await contract.named(client_id)
    rows = await contract.fills(str(own["orderId"]))
    assert [exactly(fill) for fill in fills] == [written(row) for row in rows]
    assert sum(fill.price * fill.quantity for fill in fills) == Decimal(own["cummulativeQuoteQty"]).quantize(
        Decimal(1).scaleb(-8)
    )


async def test_a_working_sale_holds_the_coins(contract):
    price = (await contract.best(Side.SELL) * 2).quantize(Decimal(1))
    await contract.submit(type=OrderType.LIMIT, side=Side.SELL, quantity=Decimal("1.5"), limit_price=price)

    held = {row.asset: row for row in await contract.venue.balances()}

    assert (held["BTC"].total, held["BTC"].reserved) == (Decimal(2), Decimal("1.5"))


async def test_spot_is_no_position(contract):
    client_id, report = await contract.submit()
    await contract.ends(client_id, report)

    assert await contract.venue.positions() == ()
