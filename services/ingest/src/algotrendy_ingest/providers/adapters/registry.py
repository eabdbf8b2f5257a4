"""Every provider there is, by name."""

from collections.abc import Callable, Mapping

from algotrendy_ingest.providers.adapters.alpha_vantage import AlphaVantage
from algotrendy_ingest.providers.adapters.fmp import Fmp
from algotrendy_ingest.providers.adapters.fred import Fred
from algotrendy_ingest.providers.adapters.polygon import Polygon
from algotrendy_ingest.providers.adapters.tiingo import Tiingo
from algotrendy_ingest.providers.adapters.yahoo import YahooFinance
from algotrendy_ingest.providers.port import Provider

PROVIDERS: Mapping[str, Callable[[], Provider]] = {
    "alpha_vantage": AlphaVantage,
    "yahoo": YahooFinance,
    "polygon": Polygon,
    "fmp": Fmp,
    "fred": Fred,
    "tiingo": Tiingo,
}
