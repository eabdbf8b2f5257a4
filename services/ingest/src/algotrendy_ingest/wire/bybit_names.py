"""Bybit's names of markets: ``BTCUSDT`` is a pair at one socket and its perpetual at another.

Invariant: pure; what does not tell base and quote is refused, not guessed.
"""

PERPETUAL = "-PERP"
_QUOTES = (
    "USDT", "USDC", "USDE", "USDR", "USD1", "USD", "EUR", "GBP", "DAI", "BRL", "BRZ", "TRY", "PLN", "MNT", "BTC", "ETH",
    "SOL",
)  # fmt: skip
"""Longest first where one ends in another."""


def id_of(symbol: str) -> str:
    """From ours; raises ValueError where it is none."""
    base, _, quote = symbol.removesuffix(PERPETUAL).partition("-")
    if not base or not quote or "-" in quote:
        raise ValueError(f"{symbol} is no pair")
    if symbol.endswith(PERPETUAL) and quote == "USDC":
        return f"{base}PERP"
    return base + quote


def symbol_of(id: str, category: str) -> str:
    """Ours; raises ValueError for what is neither a pair nor a perpetual."""
    perpetual = "" if category == "spot" else PERPETUAL
    if perpetual and id.endswith("PERP") and id != "PERP":
        return f"{id.removesuffix('PERP')}-USDC{PERPETUAL}"
    for quote in _QUOTES:
        base = id.removesuffix(quote)
        if base and base != id and base.isalnum():
            return f"{base}-{quote}{perpetual}"
    raise ValueError(f"{id} does not tell base and quote")


def category_at(url: str) -> str:
    """Of a socket's address; before v5 all of them were of perpetuals."""
    last = url.rstrip("/").rpartition("/")[2]
    return {"realtime_public": "linear", "realtime": "inverse"}.get(last, last if last in _CATEGORIES else "spot")


_CATEGORIES = ("spot", "linear", "inverse")
