"""The administrator's command, run as the process that it is."""

import asyncio
import os
import sys

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "a long enough password"


@pytest.fixture
def users(servers):
    environment = servers.environment("gateway") | {"ALGOTRENDY_GATEWAY_TOKEN_KEY": "11" * 32}

    async def run(*arguments: str, password: str = "") -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "algotrendy_gateway.users", *arguments,
            env=os.environ | environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate(f"{password}\n".encode())
        return process.returncode, output.decode()

    return run


async def test_a_user_comes_changes_the_password_and_goes(users, running, sql, forgetful):
    async def log_in(password: str) -> int:
        async with running.client() as http:
            body = {"username": "zoe", "password": password}
            return (await http.post("/api/auth/login", json=body)).status_code

    try:
        assert (await users("add", "zoe", "--role", "trader", password=PASSWORD))[0] == 0
        assert await log_in(PASSWORD) == 200
        status, said = await users("add", "zoe", "--role", "admin", password=PASSWORD)
        assert (status, said) == (1, "There is a user zoe already.\n")
        assert (await users("password", "zoe", password="another good password"))[0] == 0
        assert await log_in(PASSWORD) == 401
        assert await log_in("another good password") == 200
        assert (await users("disable", "zoe"))[0] == 0
        assert await log_in("another good password") == 401
        listed = (await users("list"))[1]
        assert any(line.split() == ["zoe", "trader", "disabled"] for line in listed.splitlines())
        live = (
            "SELECT count(*) FROM sessions JOIN users USING (username) WHERE username = 'zoe' AND epoch = session_epoch"
        )
        assert await sql.fetchval(live) == 0
        actions = await sql.fetch("SELECT action FROM audit WHERE target = 'zoe' ORDER BY seq")
        assert [row["action"] for row in actions] == ["add_user", "set_password", "disable_user"]
    finally:
        await sql.execute("DELETE FROM sessions WHERE username = 'zoe'")
        await sql.execute("DELETE FROM users WHERE username = 'zoe'")


async def test_what_cannot_be_is_said_in_one_line(users):
    assert await users("add", "kim", "--role", "viewer", password="short") == (1, "Must have 12 to 256 characters.\n")
    assert await users("disable", "nobody") == (1, "There is no such user.\n")
