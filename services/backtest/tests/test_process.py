"""The service as a process of its own: started, killed in the middle of a run, started again, stopped."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process

from algotrendy_common.ids import new_id
from algotrendy_common.testing.waiting import eventually


async def started(servers) -> Process:
    environment = os.environ | servers.environment("backtest") | {"ALGOTRENDY_BACKTEST_LEASE": "PT1S"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "algotrendy_backtest", env=environment, stdout=DEVNULL, stderr=DEVNULL
    )


async def test_a_service_killed_in_the_middle_of_a_run_does_it_once_when_it_is_back(platform, servers, spec) -> None:
    job = platform.request(spec())
    platform.hold.clear()
    first = await started(servers)
    try:
        await platform.send(job)
        await eventually(lambda: len(platform.asked) == 1)
    finally:
        first.kill()
        await first.wait()
    platform.hold.set()
    assert not platform.finished(job.run_id)
    second = await started(servers)
    try:
        [finished] = await eventually(lambda: platform.finished(job.run_id), within_s=60)
        assert finished.ok
        await platform.send_raw(job.to_json(), new_id())
        after = await platform.send(platform.request(spec()))
        await eventually(lambda: platform.finished(after.run_id), within_s=60)
        assert len(platform.finished(job.run_id)) == 1
    finally:
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == 0
