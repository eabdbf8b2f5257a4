"""Bybit's JSON for accounts, orders, executions and positions. Times are the wall's, in milliseconds, as strings.

Source: Bybit v5 documentation, "Trade", "Position", "Account" and "WebSocket stream, private". Invariant: pure; an
order says the same in a query and in a message of the ``order`` topic.
"""

from decimal import Decimal

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, VenueStatus
from algotrendy_simulator.positions import Position
from algotrendy_simulator.venues.bybit.products import LINEAR, category_of, symbol_of
from algotrendy_simulator.venues.bybit.wire import Json, number, side_name

_TIMES_IN_FORCE = {TimeInForce.POST_ONLY: "PostOnly", TimeInForce.GTD: "GTC"}
_RISING = {OrderType.STOP: Side.BUY, OrderType.STOP_LIMIT: Side.BUY}


def order_status(order: Order) -> str:
    match order.status:
        case VenueStatus.NEW:
            return "Untriggered" if order.waiting else "New"
        case VenueStatus.PARTIALLY_FILLED:
            return "PartiallyFilled"
        case VenueStatus.FILLED:
            return "Filled"
        case VenueStatus.CANCELED | VenueStatus.EXPIRED:
            # An order that waited in vain cannot be told here from one that was set off and not filled.
            never_traded = "Deactivated" if order.trigger_price is not None else "Cancelled"
            return "PartiallyFilledCanceled" if order.filled else never_traded


def trigger_direction(order: Order) -> int:
    """1 where the price must rise to the trigger, 2 where it must fall, 0 where there is none."""
    if order.trigger_price is None:
        return 0
    return 1 if order.side is _RISING.get(order.type, Side.SELL) else 2


def order(market: Market, order: Order, fills: list[Fill]) -> Json:
    left = order.quantity - order.filled if order.status.open else ZERO
    fees: dict[str, Decimal] = {}
    for fill in fills:
        fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
    linear = category_of(market) == LINEAR
    shown: Json = {
        "orderId": str(order.order_id),
        "orderLinkId": order.client_order_id,
        "blockTradeId": "",
        "symbol": symbol_of(market),
        "price": number(order.limit_price),
        "qty": plain(order.quantity if order.quote_quantity is None else order.quote_quantity),
        "side": side_name(order.side),
        "isLeverage": "" if linear else "0",
        "positionIdx": 0,
        "orderStatus": order_status(order),
        "cancelType": "CancelByUser" if order.status is VenueStatus.CANCELED else "UNKNOWN",
        "rejectReason": "EC_NoImmediateQtyToFill" if order.status is VenueStatus.EXPIRED else "EC_NoError",
        "avgPrice": plain(order.quote_filled / order.filled) if order.filled else "",
        "leavesQty": plain(left),
        "leavesValue": plain(left * (order.limit_price or ZERO)),
        "cumExecQty": plain(order.filled),
        "cumExecValue": plain(order.quote_filled),
        "cumExecFee": plain(sum(fees.values(), ZERO)),
        "cumFeeDetail": {asset: plain(fee) for asset, fee in fees.items()},
        "timeInForce": _time_in_force(order),
        "orderType": "Market" if order.limit_price is None else "Limit",
        "stopOrderType": "Stop" if order.trigger_price is not None else "",
        "marketUnit": "" if linear else "baseCoin" if order.quote_quantity is None else "quoteCoin",
        "triggerPrice": number(order.trigger_price),
        "triggerDirection": trigger_direction(order),
        "triggerBy": "LastPrice" if order.trigger_price is not None else "",
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": False,
        "createType": "CreateByLiq" if order.liquidation else "CreateByUser",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }
    # Clients tell a contract's order from a spot one by this field where nothing else says it.
    return shown | {"tpslMode": ""} if linear else shown


def _time_in_force(order: Order) -> str:
    if order.limit_price is None:
        return "IOC"
    return _TIMES_IN_FORCE.get(order.time_in_force, order.time_in_force.value.upper())


def execution_id(fill: Fill) -> str:
    """Both sides of a trade between two users have one of their own."""
    return f"{fill.trade_id}-{fill.order_id}"


def execution(market: Market, fill: Fill, order: Order) -> Json:
    return {
        "category": category_of(market),
        "symbol": symbol_of(market),
        "orderId": str(fill.order_id),
        "orderLinkId": order.client_order_id,
        "side": side_name(fill.side),
        "orderPrice": number(order.limit_price),
        "orderQty": plain(order.quantity),
        "leavesQty": plain(order.quantity - order.filled if order.status.open else ZERO),
        "orderType": "Market" if order.limit_price is None else "Limit",
        "stopOrderType": "Stop" if order.trigger_price is not None else "UNKNOWN",
        "execId": execution_id(fill),
        "execPrice": plain(fill.price),
        "execQty": plain(fill.quantity),
        "execValue": plain(fill.price * fill.quantity),
        "execType": "BustTrade" if order.liquidation else "Trade",
        "execFee": plain(fill.fee),
        "feeCurrency": fill.fee_asset,
        "feeRate": plain(
            market.instrument.maker_fee if fill.liquidity is Liquidity.MAKER else market.instrument.taker_fee
        ),
        "isMaker": fill.liquidity is Liquidity.MAKER,
        "isLeverage": "0",
        "closedSize": "",
        "blockTradeId": "",
        "execTime": str(fill.time_ms),
        "seq": fill.trade_id,
    }


def wallet(account: Account, assets: list[str] | None = None) -> Json:
    """The one wallet of a unified account; all of its coins, or the ones asked for."""
    names = list(account.balances) if assets is None else assets
    coins = [coin(account, name) for name in names]
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "totalEquity": "",
        "totalWalletBalance": "",
        "totalAvailableBalance": "",
        "totalPerpUPL": "",
        "coin": coins,
    }


def coin(account: Account, asset: str) -> Json:
    balance = account.balance(asset)
    return coin_of(asset, balance.total, balance.locked)


def coin_of(asset: str, total: Decimal, locked: Decimal) -> Json:
    return {
        "coin": asset,
        "equity": plain(total),
        "usdValue": "",
        "walletBalance": plain(total),
        "locked": plain(locked),
        "totalOrderIM": "0",
        "totalPositionIM": "0",
        "totalPositionMM": "0",
        # Empty since Bybit gave the field up; a reader that takes it for zero sees no money.
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "spotBorrow": "0",
        "bonus": "0",
        "unrealisedPnl": "0",
        "cumRealisedPnl": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
    }


def position(market: Market, held: Position, time_ms: int) -> Json:
    open_ = bool(held.quantity)
    return {
        "category": LINEAR,
        "positionIdx": 0,
        "tradeMode": 0,
        "symbol": symbol_of(market),
        "side": ("Buy" if held.quantity > ZERO else "Sell") if open_ else "",
        "size": plain(abs(held.quantity)),
        "avgPrice": plain(held.entry_price) if open_ else "0",
        "entryPrice": plain(held.entry_price) if open_ else "0",
        "positionValue": plain(abs(held.quantity) * held.entry_price),
        "leverage": plain(held.leverage),
        "positionBalance": plain(held.margin),
        "positionIM": plain(held.margin),
        "positionMM": "0",
        "markPrice": plain(held.mark_price),
        "liqPrice": "" if held.liquidation_price is None else plain(held.liquidation_price),
        "bustPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "",
        "unrealisedPnl": plain(held.unrealised_pnl),
        "curRealisedPnl": plain(held.realised_pnl),
        "cumRealisedPnl": plain(held.realised_pnl),
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0,
        "tpslMode": "Full",
        "seq": 0,
        "createdTime": str(time_ms),
        "updatedTime": str(time_ms),
    }
