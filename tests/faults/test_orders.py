"""kill -9 on real servers, twenty blows on one stack; the long mode is ``make faults NAME=orders SEEDS=200``."""

import asyncio

import pytest

from tests.faults.orders.run import figures, passed, proof

SEEDS = 20

pytestmark = [pytest.mark.timeout(1500), pytest.mark.slow]


def test_nothing_is_doubled_lost_or_sent_too_early():
    # Every seventh seed, so that all programs and most moments come up.
    found = asyncio.run(proof([seed * 7 for seed in range(SEEDS)]))

    assert found.broken == []
    assert passed(found), figures(found)
    assert found.runs == SEEDS
    assert len({pair.split()[0] for pair in found.struck}) == 4
