"""What Binance calls a market. The same name is a pair on the spot sockets and a perpetual on the futures' sockets.

Invariant: a name and the kind of socket it was heard on tell base and quote, or ValueError is raised.
"""

PERPETUAL = "-PERP"
SPOT_STREAM, FUTURES_STREAM = "wss://stream.binance.com:9443", "wss://fstream.binance.com"
_QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD1", "EURI", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL", "AUD",
    "JPY", "DAI", "ARS", "MXN", "PLN", "RON", "ZAR", "COP", "IDRT", "UAH", "NGN", "RUB", "BIDR", "PAX", "VAI",
)  # fmt: skip


def id_of(symbol: str) -> str:
    """``BTC-USDT`` and ``BTC-USDT-PERP`` are both ``BTCUSDT`` there; raises ValueError for what is no such symbol."""
    base, _, quote = symbol.removesuffix(PERPETUAL).partition("-")
    if not base or not quote or "-" in quote:
        raise ValueError(f"{symbol!r} is no symbol")
    return base + quote


def symbol_of(id: str, *, perpetual: bool) -> str:
    for quote in _QUOTES:
        if id.endswith(quote) and id != quote:
            return f"{id.removesuffix(quote)}-{quote}{PERPETUAL if perpetual else ''}"
    raise ValueError(f"{id!r} names no base and quote")


def is_futures(url: str) -> bool:
    return "fstream." in url
