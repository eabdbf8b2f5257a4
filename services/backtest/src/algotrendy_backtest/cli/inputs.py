"""From what was typed to a ground to run on.

Invariant: a file is named by its absolute path, so that a run can be resumed from another folder.
"""

import csv
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestKind, BacktestSpec, SearchSettings, WalkForwardSettings
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.user_file import Limits, checked_user_strategy
from pydantic import ValidationError

from algotrendy_backtest.cli.surroundings import Dataset, HistoryAsked, Surroundings
from algotrendy_backtest.computing.tasks import CandleFile, Ground, UserFile

DEFAULT_FEE = "0.001"
"""What venues ask of a new customer; a file of candles does not say."""
_FINE = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Asked:
    """Options as they were typed."""

    kind: BacktestKind
    data: str | None
    strategy: str
    values: tuple[str, ...]
    cash: str
    fee: str | None
    maker_fee: str | None
    taker_fee: str | None
    fees: str | None
    slippage_bps: str
    latency_ms: int
    short: bool
    leverage: str | None
    borrow_rate: str
    volume_share: str | None
    impact: str
    venue: str | None
    symbol: str | None
    timeframe: str | None
    start: str | None
    end: str | None
    repair: str
    seed: int
    uncompiled: bool
    search: SearchSettings | None = None
    walk_forward: WalkForwardSettings | None = None


def ground_of(asked: Asked, surroundings: Surroundings, folder: Path) -> Ground:
    """Raises Refused for what cannot be meant. ``folder`` takes the candles that come from a running stack."""
    start, end = _instant(asked.start), _instant(asked.end)
    timeframe = _timeframe(asked.timeframe)
    if asked.data is None:
        instrument, file = _from_stack(asked, surroundings, folder, timeframe, start, end)
    elif (path := Path(asked.data)).suffix.lower() == ".csv" or path.is_file():
        instrument, file = _from_file(asked, path)
    else:
        instrument, file = _from_dataset(asked, surroundings.datasets())
    kind, user_file = _strategy(asked.strategy)
    try:
        spec = BacktestSpec(
            strategy_kind=kind,
            parameters=_values(asked.values),
            venue=instrument.venue,
            symbol=instrument.symbol,
            timeframe=timeframe or Timeframe.M1,
            start=start,
            end=end,
            initial_cash=_decimal("--cash", asked.cash),
            slippage_bps=_decimal("--slippage", asked.slippage_bps),
            seed=asked.seed,
            kind=asked.kind,
            maker_fee=_fee(asked.maker_fee, asked.fee),
            taker_fee=_fee(asked.taker_fee, asked.fee),
            fees=asked.fees,
            latency_ms=asked.latency_ms,
            allow_short=asked.short,
            leverage=None if asked.leverage is None else _decimal("--leverage", asked.leverage),
            borrow_rate=_decimal("--borrow-rate", asked.borrow_rate),
            volume_share=None if asked.volume_share is None else _decimal("--volume-share", asked.volume_share),
            impact=_decimal("--impact", asked.impact),
            search=asked.search,
            walk_forward=asked.walk_forward,
        )
    except ValidationError as error:
        raise refused(error) from error
    return Ground(spec, instrument, file, user_file, compiled=False if asked.uncompiled else None)


def refused(error: ValidationError) -> Refused:
    problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return Refused("options_invalid", problems)


def _strategy(text: str) -> tuple[str, UserFile | None]:
    if not text.endswith(".py"):
        return text, None
    path = Path(text)
    try:
        user_file = UserFile(path.name, path.read_text(encoding="utf-8"))
        checked_user_strategy(path, Limits())
        return path.stem, user_file
    except (OSError, UnicodeDecodeError) as error:
        raise Refused("strategy_unreadable", f"cannot read {text}: {error}") from error


def _from_file(asked: Asked, path: Path) -> tuple[Instrument, CandleFile]:
    if not path.is_file():
        raise Refused("candles_unreadable", f"there is no file {path}")
    symbol = asked.symbol or re.sub(r"[^A-Za-z0-9_-]", "-", path.stem)[:64]
    base, _, quote = symbol.partition("-")
    instrument = Instrument(
        venue=asked.venue or "file", symbol=symbol, base=base, quote=quote or "quote", price_step=_FINE,
        quantity_step=_FINE, min_quantity=_FINE, max_quantity=Decimal(10**9), min_notional=Decimal(0),
        maker_fee=Decimal(DEFAULT_FEE), taker_fee=Decimal(DEFAULT_FEE),
    )  # fmt: skip
    return instrument, CandleFile(str(path.resolve()), asked.timeframe, asked.repair)


def _from_dataset(asked: Asked, datasets: list[Dataset]) -> tuple[Instrument, CandleFile]:
    for dataset in datasets:
        if dataset.name.lower() == str(asked.data).lower():
            # A minute in which nothing was traded is absent from a recording, and no fault of it.
            repair = "keep_holes" if asked.repair == "none" else f"{asked.repair},keep_holes"
            file = CandleFile(str(dataset.path.resolve()), asked.timeframe, repair)
            return Instrument.model_validate_json(json.dumps(dataset.instrument)), file
    known = ", ".join(dataset.name for dataset in datasets)
    raise Refused("dataset_unknown", f"{asked.data!r} is neither a file nor a dataset", known=known or "none")


def _from_stack(
    asked: Asked,
    surroundings: Surroundings,
    folder: Path,
    timeframe: Timeframe | None,
    start: datetime | None,
    end: datetime | None,
) -> tuple[Instrument, CandleFile]:
    if not (asked.venue and asked.symbol and timeframe):
        raise Refused("data_missing", "say what to run on: --data FILE.csv, --data DATASET, or --venue, --symbol and "
                      "--timeframe of what a running stack has stored")  # fmt: skip
    instrument, bars = surroundings.history(
        HistoryAsked(asked.venue, asked.symbol, timeframe, start, end, surroundings.home)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "candles.csv"
    _write_candles(path, bars)
    return instrument, CandleFile(str(path.resolve()), timeframe.value, "keep_holes")


def _write_candles(path: Path, bars: BarSeries) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("timestamp_ms", "open", "high", "low", "close", "volume"))
        writer.writerows(zip(*(column.tolist() for column in bars.columns), strict=True))


def _values(texts: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in pairs("--set", texts):
        try:
            number = Decimal(text)
            values[name] = int(number) if number == number.to_integral_value() and "." not in text else float(number)
        except (InvalidOperation, ValueError, OverflowError):
            values[name] = text  # the strategy's own model says what is wrong with it
    return values


def pairs(option: str, texts: tuple[str, ...] | list[str]) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise Refused("options_invalid", f"{option} takes name=value, not {text!r}")
        found.append((name.strip(), value.strip()))
    return found


def _fee(own: str | None, both: str | None) -> Decimal | None:
    text = own if own is not None else both
    return None if text is None else _decimal("a fee", text)


def _decimal(option: str, text: str) -> Decimal:
    try:
        value = Decimal(text.replace("_", ""))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Refused("options_invalid", f"{option}: {text!r} is not a number")
    return value


def _timeframe(text: str | None) -> Timeframe | None:
    try:
        return None if text is None else Timeframe(text)
    except ValueError:
        known = ", ".join(each.value for each in Timeframe)
        raise Refused("options_invalid", f"--timeframe: {text!r} is none of {known}") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("options_invalid", f"{text!r} is not a time: write 2026-01-31 or 2026-01-31T12:00") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
