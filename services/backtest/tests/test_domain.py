"""A run from its spec to what is kept of it."""

from decimal import Decimal

import numpy as np
import pytest
from algotrendy_backtest import domain
from algotrendy_backtest.domain import EQUITY_POINTS, checked, compute
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.engine import BacktestConfig, run_backtest


def nothing(done: int, total: int) -> None:
    """Progress is of no interest here."""


def test_what_is_kept_is_the_engines_result_in_exact_numbers(spec, bars, instrument) -> None:
    asked = spec()
    outcome = compute(asked, instrument, bars, nothing)
    direct = run_backtest(*checked(asked), bars, instrument, BacktestConfig(Decimal(100_000), slippage_bps=Decimal(1)))
    assert outcome.result_hash == direct.result_hash
    assert outcome.manifest == direct.manifest | {"venue": "binance", "symbol": "BTC-USDT"}
    assert len(outcome.fills) == len(direct.fills) > 4
    for kept, fill in zip(outcome.fills, direct.fills, strict=True):
        assert instrument.check(kept.quantity, kept.price) == ()
        assert float(kept.price) == fill["price"]
        assert float(kept.quantity) == fill["quantity"]
        assert kept.side == (Side.BUY if fill["side"] > 0 else Side.SELL)
        assert kept.time == from_ms(int(fill["time"]))
    assert outcome.statistics["trades"] == len(direct.trades)


def test_compiling_changes_nothing_but_the_time(spec, bars, instrument, monkeypatch) -> None:
    plain = compute(spec(), instrument, bars, nothing)
    monkeypatch.setattr(domain, "COMPILED_FROM_BARS", 1)
    compiled = compute(spec(), instrument, bars, nothing)
    assert (plain.statistics.pop("compiled"), compiled.statistics.pop("compiled")) == (0, 1)
    assert plain == compiled


def test_equity_is_thinned_and_keeps_its_ends(spec, many_bars, instrument) -> None:
    outcome = compute(spec(), instrument, many_bars, nothing)
    assert len(outcome.equity) == EQUITY_POINTS
    assert outcome.equity[0].equity == Decimal(100_000)
    assert float(outcome.equity[-1].equity) == pytest.approx(outcome.statistics["final_equity"], abs=1e-8)
    assert outcome.equity[-1].time == from_ms(int(many_bars.time[-1]) + 60_000)
    assert list(np.diff([point.time.timestamp() for point in outcome.equity]) > 0) == [True] * (EQUITY_POINTS - 1)


def test_a_wrong_spec_is_refused(spec) -> None:
    with pytest.raises(Refused, match="no strategy"):
        checked(spec(strategy_kind="oracle"))
    with pytest.raises(Refused, match="fast must be shorter"):
        checked(spec(parameters={"fast": 20, "slow": 5}))


def test_fees_come_from_a_venues_table_where_one_is_named(spec, bars, instrument) -> None:
    plain = compute(spec(maker_fee=Decimal("0.0002"), taker_fee=Decimal("0.0004")), instrument, bars, nothing)
    level = compute(spec(fees="binance:vip9"), instrument, bars, nothing)
    assert level.fills == plain.fills
    climbing = compute(spec(fees="binance"), instrument, bars, nothing)
    assert climbing.statistics["fees"] > level.statistics["fees"]
    assert climbing.manifest["config"]["fee_tiers"][0] == {
        "traded_30d": "1000000", "maker": "0.0009", "taker": "0.001",
    }  # fmt: skip


def test_fees_named_twice_or_unknown_are_refused(spec, bars, instrument) -> None:
    with pytest.raises(Refused, match="not both"):
        compute(spec(fees="okx", taker_fee=Decimal("0.001")), instrument, bars, nothing)
    with pytest.raises(Refused, match="vip9"):
        compute(spec(fees="binance:vip77"), instrument, bars, nothing)
