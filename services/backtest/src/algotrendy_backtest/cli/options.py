"""The options of the commands, each said once, in groups that a command takes whole.

Invariant: a name in a group is the name of what it sets in ``Asked``, ``How`` or a spec's settings.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

_DATA, _COSTS, _PLACE, _SEARCH = "What to run on", "Money and costs", "How it is run", "The search"

Data = Annotated[
    str | None,
    typer.Option(
        "--data", "-d", help="FILE.csv (timestamp_ms,open,high,low,close,volume) or a dataset's name.",
        rich_help_panel=_DATA,
    ),
]  # fmt: skip
Strategy = Annotated[
    str, typer.Option("--strategy", "-s", help="A name, or FILE.py of your own.", rich_help_panel=_DATA)
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter.", rich_help_panel=_DATA)
]
VenueOf = Annotated[str | None, typer.Option("--venue", help="Of stored history.", rich_help_panel=_DATA)]
SymbolOf = Annotated[str | None, typer.Option("--symbol", help="Like BTC-USDT.", rich_help_panel=_DATA)]
TimeframeOf = Annotated[
    str | None,
    typer.Option("--timeframe", "-t", help="1m, 1h, …; of a file it is found out.", rich_help_panel=_DATA),
]
From = Annotated[str | None, typer.Option("--from", help="Like 2026-01-31, UTC.", rich_help_panel=_DATA)]
To = Annotated[str | None, typer.Option("--to", help="Excluded.", rich_help_panel=_DATA)]
RepairOf = Annotated[
    str,
    typer.Option(
        "--repair",
        help="Of faulty data: drop_invalid, sort, drop_duplicates, forward_fill, keep_holes; several with commas.",
        rich_help_panel=_DATA,
    ),
]

Cash = Annotated[str, typer.Option("--cash", help="In the quote currency.", rich_help_panel=_COSTS)]
Fee = Annotated[
    str | None,
    typer.Option(
        "--fee", help="Of each fill, as a fraction.", show_default="the venue's, or 0.001", rich_help_panel=_COSTS
    ),
]  # fmt: skip
MakerFee = Annotated[str | None, typer.Option("--maker-fee", rich_help_panel=_COSTS, help="As a fraction.")]
TakerFee = Annotated[str | None, typer.Option("--taker-fee", rich_help_panel=_COSTS, help="As a fraction.")]
Fees = Annotated[
    str | None,
    typer.Option(
        "--fees", metavar="VENUE[:LEVEL]", rich_help_panel=_COSTS,
        help="Of a venue's table: binance climbs by what is traded in 30 days, binance:vip1 stays there.",
    ),
]  # fmt: skip
Slippage = Annotated[
    str, typer.Option("--slippage", help="Basis points by which each fill is worse.", rich_help_panel=_COSTS)
]
Latency = Annotated[
    int, typer.Option("--latency", min=0, help="Milliseconds from decision to venue.", rich_help_panel=_COSTS)
]
Short = Annotated[bool, typer.Option("--short", help="Allow short positions.", rich_help_panel=_COSTS)]
Leverage = Annotated[
    str | None, typer.Option("--leverage", help="Margin account: exposure over equity.", rich_help_panel=_COSTS)
]
BorrowRate = Annotated[str, typer.Option("--borrow-rate", help="A year, of what is short.", rich_help_panel=_COSTS)]
VolumeShare = Annotated[
    str | None, typer.Option("--volume-share", help="Of a bar's volume that may be filled.", rich_help_panel=_COSTS)
]
Impact = Annotated[
    str, typer.Option("--impact", help="Slippage of trading a whole bar's volume.", rich_help_panel=_COSTS)
]

Seed = Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.", rich_help_panel=_PLACE)]
Uncompiled = Annotated[
    bool, typer.Option("--uncompiled", help="Plain Python: slow, same result.", rich_help_panel=_PLACE)
]
Memory = Annotated[float, typer.Option("--memory", min=0.1, help="GiB a strategy may use.", rich_help_panel=_PLACE)]
CpuTime = Annotated[
    float, typer.Option("--cpu-time", min=0.1, help="Seconds a run may compute.", rich_help_panel=_PLACE)
]
Out = Annotated[
    str | None,
    typer.Option("--out", "-o", help="Folder for manifest, JSON, CSV and report.", rich_help_panel=_PLACE),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.", rich_help_panel=_PLACE)]
Home = Annotated[
    str | None,
    typer.Option("--home", help="Folder that keeps runs.", show_default=".algotrendy", rich_help_panel=_PLACE),
]

Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary", "-v", metavar="NAME=LOW:HIGH:STEP", help="Or NAME=A,B,C, or NAME=LOW:HIGH. None: all, within bounds.",
        rich_help_panel=_SEARCH,
    ),
]  # fmt: skip
Method = Annotated[str, typer.Option("--method", "-m", help="grid, random or tpe.", rich_help_panel=_SEARCH)]
TrialCount = Annotated[
    int, typer.Option("--trials", "-n", min=1, help="At most (of each window).", rich_help_panel=_SEARCH)
]
Objective = Annotated[
    str,
    typer.Option("--objective", help="A statistic; -max_drawdown for the least.", rich_help_panel=_SEARCH),
]
MinimumTrades = Annotated[
    int, typer.Option("--minimum-trades", min=0, help="Fewer count as nothing.", rich_help_panel=_SEARCH)
]
Patience = Annotated[
    int | None,
    typer.Option("--patience", min=1, help="Stop after so many without a better one.", rich_help_panel=_SEARCH),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Give up what is below the median early.", rich_help_panel=_SEARCH)
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-w", min=1, show_default="one a core", help="Processes.", rich_help_panel=_SEARCH),
]
PlaceOf = Annotated[
    str, typer.Option("--on", help="auto (Ray when it is long), processes or ray.", rich_help_panel=_SEARCH)
]
Address = Annotated[str | None, typer.Option("--address", help="Of a Ray cluster, host:port.", rich_help_panel=_SEARCH)]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN", help="Go on with a run: its id, or last.", rich_help_panel=_SEARCH),
]
Windows = Annotated[int, typer.Option("--windows", min=1, help="How many.", rich_help_panel="The windows")]
TrainShare = Annotated[
    str, typer.Option("--train-share", help="Of a window, to search on.", rich_help_panel="The windows")
]
Anchored = Annotated[
    bool, typer.Option("--anchored", help="Search from the first bar on each time.", rich_help_panel="The windows")
]

type Options = Mapping[str, tuple[Any, Any]]
"""Of each option its type and its default, by name."""

WHAT: Options = {
    "strategy": (Strategy, "sma_cross"),
    "data": (Data, None),
    "values": (Set, None),
    "venue": (VenueOf, None),
    "symbol": (SymbolOf, None),
    "timeframe": (TimeframeOf, None),
    "start": (From, None),
    "end": (To, None),
    "repair": (RepairOf, "none"),
}
COSTS: Options = {
    "cash": (Cash, "100000"),
    "fee": (Fee, None),
    "maker_fee": (MakerFee, None),
    "taker_fee": (TakerFee, None),
    "fees": (Fees, None),
    "slippage_bps": (Slippage, "1"),
    "latency_ms": (Latency, 0),
    "short": (Short, False),
    "leverage": (Leverage, None),
    "borrow_rate": (BorrowRate, "0"),
    "volume_share": (VolumeShare, None),
    "impact": (Impact, "0"),
}
SEARCH: Options = {
    "vary": (Vary, None),
    "method": (Method, "grid"),
    "trials": (TrialCount, 1000),
    "objective": (Objective, "sharpe"),
    "minimum_trades": (MinimumTrades, 1),
    "patience": (Patience, None),
    "prune": (Prune, False),
}
WINDOWS: Options = {"windows": (Windows, 5), "train_share": (TrainShare, "0.75"), "anchored": (Anchored, False)}
PLACES: Options = {
    "workers": (Workers, None),
    "place": (PlaceOf, "auto"),
    "address": (Address, None),
    "resume": (Resume, None),
}
HOW: Options = {
    "seed": (Seed, 0),
    "uncompiled": (Uncompiled, False),
    "memory": (Memory, 8.0),
    "cpu_time": (CpuTime, 600.0),
    "out": (Out, None),
    "as_json": (AsJson, False),
    "home": (Home, None),
}
