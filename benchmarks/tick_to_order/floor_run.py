"""Drives the floor: plays the venue, sends ticks one at a time and times the order that comes back for each."""

import asyncio
import json
import sys
import time
from typing import Any

from aiohttp import web

from benchmarks.tick_to_order.floor import PADDING, ROLES


async def measure(settings: dict[str, Any], ticks: int, pause_s: float) -> dict[str, list[float]]:
    """Milliseconds of each tick: ``total`` venue to venue, ``inside`` from our socket's read to our request."""
    sockets: list[web.WebSocketResponse] = []
    arrived: asyncio.Queue[tuple[int, dict[str, Any]]] = asyncio.Queue()

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def order(request: web.Request) -> web.Response:
        now = time.time_ns()
        arrived.put_nowait((now, await request.json()))
        return web.json_response({})

    application = web.Application()
    application.add_routes([web.get("/ws", stream), web.post("/order", order)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    told = json.dumps(settings | {"venue": f"http://127.0.0.1:{port}"})
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.tick_to_order.floor", role, told)
        for role in ROLES
    ]
    total: list[float] = []
    inside: list[float] = []
    try:
        while not sockets:
            await asyncio.sleep(0.05)
        await asyncio.sleep(2.0)
        warm = 5
        run = f"{time.time_ns()}"
        for number in range(ticks + warm):
            await sockets[0].send_json({"id": f"{run}-{number}", "sent": time.time_ns(), "padding": PADDING})
            now, content = await asyncio.wait_for(arrived.get(), 10)
            if number >= warm:
                total.append((now - content["sent"]) / 1e6)
                inside.append((content["out"] - content["received"]) / 1e6)
            await asyncio.sleep(pause_s)
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))
        await runner.cleanup()
    return {"total": total, "inside": inside}
