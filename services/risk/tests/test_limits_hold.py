"""A few runs of the state machine against the independent model; ``python -m tests.faults risk`` makes thousands."""

from collections import Counter
from random import Random

from hypothesis import HealthCheck, settings

from tests.faults.risk.machine import Accounts, walk

USUAL = {
    "approved", "max_position", "short_not_allowed", "max_order_notional", "max_gross_exposure", "self_trade",
    "not_a_reduction", "price_collar", "max_leverage", "execution_throttle", "approval_notional",
}  # fmt: skip


def test_long_walks_reach_the_limits_and_agree_with_the_model():
    answers: Counter[str] = Counter()
    for seed in range(40):
        answers.update(walk(Random(seed), 100).codes)
    assert answers.keys() >= USUAL


TestLimitsHold = Accounts.TestCase
TestLimitsHold.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
