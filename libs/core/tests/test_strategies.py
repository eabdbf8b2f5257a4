"""Strategies: what they want on series worked out by hand, and that a run survives saving, restoring and redelivery."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.bars import Bar
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
from algotrendy_core.strategies.running import Signal, StrategyRun
from hypothesis import given, settings
from hypothesis import strategies as st

START = datetime(2026, 1, 2, 12, tzinfo=UTC)


def bar(index: int, close: str) -> Bar:
    price = Decimal(close)
    return Bar(
        Timeframe.M1, START + timedelta(minutes=index), price, price, price, price, Decimal(1), price, 1, complete=True
    )


def run_of(name: str, **values: float) -> StrategyRun:
    strategy = strategy_named(name)
    return StrategyRun(strategy, parameters_of(strategy, values))


def decisions(run: StrategyRun, *closes: str, start: int = 0) -> list[tuple[float, str] | None]:
    signals = [run.on_bar(bar(start + index, close)) for index, close in enumerate(closes)]
    return [(signal.target, signal.reason) if signal else None for signal in signals]


def test_sma_cross_takes_its_position_at_the_first_warm_bar() -> None:
    run = run_of("sma_cross", fast=1, slow=3, exposure=0.5)
    assert run.warm_up_left == 3
    assert decisions(run, "10", "11", "12", "9", "9", "9") == [
        None,
        None,
        (0.5, "fast_above_slow"),
        (0.0, "fast_below_slow"),
        (0.0, "fast_below_slow"),
        (0.0, "fast_below_slow"),  # equal is not above
    ]
    assert run.warm_up_left == 0


def test_rsi_reversion_holds_between_its_levels() -> None:
    run = run_of("rsi_reversion", period=2, entry=30, exit=60)
    assert decisions(run, "10", "9", "8", "8.5", "8.4", "10", "10.1", "9.9") == [
        None,
        None,
        (1.0, "oversold"),  # 0
        (1.0, "holding"),  # 0.25 / 0.75 -> 33.3
        (1.0, "oversold"),  # 0.125 / 0.425 -> 29.4
        (0.0, "recovered"),
        (0.0, "recovered"),
        (0.0, "recovered"),
    ]


def test_momentum_compares_with_the_close_of_lookback_bars_ago() -> None:
    run = run_of("momentum", lookback=2, threshold=0.25)
    assert decisions(run, "100", "100", "125", "126", "150") == [
        None,
        None,
        (0.0, "not_rising"),  # exactly a quarter is not more than a quarter
        (1.0, "rising"),
        (0.0, "not_rising"),
    ]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_is_described_in_full(name: str) -> None:
    strategy = STRATEGIES[name]
    assert strategy.name == name
    schema = strategy.parameters.model_json_schema()["properties"]
    for field in schema.values():
        assert field["description"]
        assert field["unit"]
        assert "default" in field
        assert {"minimum", "exclusiveMinimum"} & field.keys()
        assert {"maximum", "exclusiveMaximum"} & field.keys()


@pytest.mark.parametrize("name", ["sma_cross", "rsi_reversion", "momentum"])
def test_the_first_decision_comes_when_warm_up_says(name: str) -> None:
    run = run_of(name)
    wait = run.warm_up_left
    outcome = decisions(run, *(str(100 + index % 7) for index in range(wait + 5)))
    assert [made is None for made in outcome] == [True] * (wait - 1) + [False] * 6


def test_a_bar_is_taken_once() -> None:
    run, once = run_of("sma_cross", fast=1, slow=2), run_of("sma_cross", fast=1, slow=2)
    twice = [run.on_bar(bar(index, close)) for index, close in ((0, "1"), (1, "2"), (1, "2"), (0, "1"), (2, "3"))]
    expected = [once.on_bar(bar(index, close)) for index, close in ((0, "1"), (1, "2"), (2, "3"))]
    assert [twice[0], twice[1], twice[4]] == expected
    assert twice[2] is None
    assert twice[3] is None
    assert expected[-1] == Signal(int((START + timedelta(minutes=2)).timestamp() * 1000), 1.0, "fast_above_slow")


closes = st.lists(st.integers(1, 10**7).map(lambda n: str(Decimal(n) / 100)), min_size=2, max_size=80)


@settings(max_examples=60)
@given(st.sampled_from(["sma_cross", "rsi_reversion", "momentum"]), closes, st.data())
def test_a_restored_run_goes_on_bit_for_bit(name: str, closes: list[str], data: st.DataObject) -> None:
    values = {"sma_cross": {"fast": 3, "slow": 9}, "rsi_reversion": {"period": 4}, "momentum": {"lookback": 5}}[name]
    cut = data.draw(st.integers(0, len(closes)))
    straight, first, second = (run_of(name, **values) for _ in range(3))
    whole = decisions(straight, *closes)
    before = decisions(first, *closes[:cut])
    second.restore(json.loads(json.dumps(first.save())))
    assert before + decisions(second, *closes[cut:], start=cut) == whole
    assert second.save() == straight.save()


def test_a_state_of_other_parameters_is_refused() -> None:
    saved = run_of("sma_cross", fast=3, slow=9).save()
    with pytest.raises(Refused) as refused:
        run_of("sma_cross", fast=3, slow=10).restore(saved)
    assert refused.value.code == "state_of_another_run"
    saved["state"].pop("fast")
    with pytest.raises(Refused) as refused:
        run_of("sma_cross", fast=3, slow=9).restore(saved)
    assert refused.value.code == "state_not_readable"


def test_every_wrong_parameter_is_named() -> None:
    with pytest.raises(Refused) as refused:
        parameters_of(strategy_named("sma_cross"), {"fast": 0, "slow": 9000, "colour": 1})
    assert refused.value.code == "parameters_invalid"
    assert all(name in str(refused.value) for name in ("fast", "slow", "colour"))
    with pytest.raises(Refused, match="fast must be shorter"):
        parameters_of(strategy_named("sma_cross"), {"fast": 50, "slow": 10})


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        strategy_named("oracle")
    assert refused.value.code == "strategy_unknown"
