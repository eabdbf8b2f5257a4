"""The main indicators of the American economy and its markets, by their series at FRED; dashboards begin here."""

from algotrendy_common.rpc.providers import Indicator, Indicators

_BY_THEME = {
    "growth": {
        "GDPC1": "Real gross domestic product",
        "INDPRO": "Industrial production",
        "RSAFS": "Retail sales",
        "HOUST": "Housing starts",
    },
    "prices": {
        "CPIAUCSL": "Consumer price index, all items",
        "CPILFESL": "Consumer price index without food and energy",
        "PCEPILFE": "Core PCE price index",
        "PPIACO": "Producer price index, all commodities",
        "T10YIE": "Expected inflation over ten years",
    },
    "work": {
        "UNRATE": "Unemployment rate",
        "PAYEMS": "Nonfarm payrolls",
        "ICSA": "Initial jobless claims",
        "JTSJOL": "Job openings",
    },
    "rates": {
        "FEDFUNDS": "Federal funds rate, monthly",
        "SOFR": "Secured overnight financing rate",
        "DGS3MO": "Treasury yield, 3 months",
        "DGS2": "Treasury yield, 2 years",
        "DGS10": "Treasury yield, 10 years",
        "DGS30": "Treasury yield, 30 years",
        "T10Y2Y": "Ten-year minus two-year yield",
        "MORTGAGE30US": "Mortgage rate, 30 years",
    },
    "money": {"M2SL": "Money stock M2", "WALCL": "Total assets of the Federal Reserve"},
    "stress": {
        "VIXCLS": "CBOE volatility index",
        "BAMLH0A0HYM2": "High-yield credit spread",
        "NFCI": "Chicago Fed financial conditions",
        "USREC": "Recession (NBER)",
    },
    "markets": {
        "SP500": "S&P 500",
        "DTWEXBGS": "US dollar, broad index",
        "DCOILWTICO": "Crude oil, WTI",
        "DEXUSEU": "US dollars to one euro",
    },
    "mood": {"UMCSENT": "Consumer sentiment, University of Michigan"},
}

MAIN = Indicators(
    indicators=tuple(
        Indicator(series=series, title=title, theme=theme)
        for theme, members in _BY_THEME.items()
        for series, title in members.items()
    )
)
