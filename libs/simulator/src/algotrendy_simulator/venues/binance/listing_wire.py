"""Binance's JSON for what it lists: a symbol with what may be done with it, and its filters.

Source: Binance spot API documentation, "Exchange information" and "Filters". Invariant: pure.
"""

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance.order_requests import TRAILING_DELTAS
from algotrendy_simulator.venues.binance.wire import Json, number


def symbol_information(market: Market) -> Json:
    instrument = market.instrument
    lot = {
        "minQty": number(instrument.min_quantity),
        "maxQty": number(instrument.max_quantity),
        "stepSize": number(instrument.quantity_step),
    }
    return {
        "symbol": market.wire_symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [
            "LIMIT",
            "LIMIT_MAKER",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": number(instrument.price_step),
                "maxPrice": "1000000.00000000",
                "tickSize": number(instrument.price_step),
            },
            {"filterType": "LOT_SIZE", **lot},
            {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": TRAILING_DELTAS[0],
                "maxTrailingAboveDelta": TRAILING_DELTAS[1],
                "minTrailingBelowDelta": TRAILING_DELTAS[0],
                "maxTrailingBelowDelta": TRAILING_DELTAS[1],
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": number(instrument.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }
