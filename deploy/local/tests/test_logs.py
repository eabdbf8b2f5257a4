import asyncio
from pathlib import Path

from algotrendy_local import logs
from algotrendy_local.process import last_lines


def test_rotation_keeps_the_newest_and_drops_the_oldest(tmp_path: Path) -> None:
    log = tmp_path / "nats.log"
    for number in range(logs.KEEP + 2):
        log.write_text(f"run {number}\n")
        logs.rotate(log)
    assert log.read_text() == ""
    kept = [log.with_name(f"nats.log.{number}").read_text() for number in range(1, logs.KEEP + 1)]
    assert kept == [f"run {number}\n" for number in range(logs.KEEP + 1, 1, -1)]
    assert not log.with_name(f"nats.log.{logs.KEEP + 1}").exists()


def test_a_writer_goes_on_at_the_start_of_a_rotated_file(tmp_path: Path) -> None:
    log = tmp_path / "nats.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"before\n")
        logs.rotate(log)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"


async def test_following_gives_whole_lines_across_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "nats.log"
    log.write_text("old\n")
    lines: list[str] = []

    async def read() -> None:
        async for line in logs.follow(log):
            lines.append(line)
            if len(lines) == 2:
                return

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    with log.open("a") as writer:
        writer.write("new li")
        writer.flush()
        writer.write("ne\n")
    async with asyncio.timeout(10):
        while not lines:
            await asyncio.sleep(0.01)
        logs.rotate(log)
        log.write_text("x\n")
        await reader
    assert lines == ["new line", "x"]


def test_the_end_of_a_log_is_of_one_run(tmp_path: Path) -> None:
    log = tmp_path / "nats.log"
    log.write_text("earlier\n")
    start = log.stat().st_size
    with log.open("a") as writer:
        writer.write("now 1\nnow 2\n")
    assert last_lines(log, since=start) == ["now 1", "now 2"]
    assert last_lines(log, count=1) == ["now 2"]
    assert last_lines(tmp_path / "none.log") == []


def test_lines_of_json_are_made_readable_and_others_left() -> None:
    line = '{"timestamp": "2024-01-01T00:00:00Z", "level": "info", "event": "service started", "port": 8001}'
    assert logs.readable(line) == "2024-01-01T00:00:00Z  info  service started  port=8001"
    assert logs.readable("[1] plain") == "[1] plain"
    assert logs.readable("{half") == "{half"
