"""Login, refresh, logout over HTTP, and every forged token that we could think of."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from algotrendy_gateway.security.tokens import AUDIENCE, ISSUER, AccessTokens, key_id
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse battery staple"
XHR = {"X-Requested-With": "algotrendy"}
SEED = "11" * 32
COOKIE = "algotrendy-refresh"
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED))
KID = key_id(KEY.public_key().public_bytes_raw())


async def log_in(http, username: str = "tom"):
    answer = await http.post("/api/auth/login", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200
    return answer


async def test_a_login_gives_a_token_and_a_cookie_no_script_can_read(running):
    async with running.client() as http:
        answer = await log_in(http, "ada")
        body = answer.json()
        assert body["user"] == {"username": "ada", "display_name": "Ada", "role": "admin"}
        assert body["expires_in"] == 600
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/api/auth" in cookie
        assert "Secure" not in cookie
        me = await http.get("/api/auth/me", headers={"Authorization": f"Bearer {body['access_token']}"})
        assert me.json() == body["user"]


async def test_names_are_taken_without_regard_to_case_or_blanks(running):
    async with running.client() as http:
        answer = await http.post("/api/auth/login", json={"username": " Tom ", "password": PASSWORD})
        assert answer.json()["user"]["username"] == "tom"


async def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(running, forgetful):
    async with running.client() as http:
        answers = [
            await http.post("/api/auth/login", json={"username": name, "password": "not the password"})
            for name in ("uma", "nobody")
        ]
    assert [answer.status_code for answer in answers] == [401, 401]
    errors = [answer.json()["error"] for answer in answers]
    for error in errors:
        assert error.pop("trace_id")
    assert errors[0] == errors[1] == {"code": "unauthenticated", "message": "Wrong user name or password."}


async def test_the_password_is_in_no_error(running):
    async with running.client() as http:
        answer = await http.post("/api/auth/login", json={"username": "tom", "password": "s3cret" * 100})
    assert answer.status_code == 422
    assert "password" in answer.json()["error"]["fields"]
    assert "s3cret" not in answer.text


def forged(header: dict[str, Any] | None = None, key: Any = KEY, algorithm: str = "EdDSA", **claims: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    honest = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "sid": "0" * 32, "jti": "1" * 32, "iat": now, "nbf": now,
        "exp": now + 600,
    }  # fmt: skip
    return jwt.encode(
        {name: value for name, value in (honest | claims).items() if value is not None},
        key,
        algorithm,
        headers={"kid": KID, "typ": "at+jwt"} | (header or {}),
    )


def _b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


NOW = int(datetime.now(UTC).timestamp())
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x22" * 32)
UNSIGNED = f"{_b64({'alg': 'none', 'typ': 'at+jwt', 'kid': KID})}.{_b64({'sub': 'ada'})}."
FORGERIES = {
    "one letter": "x",
    "not a token": "abc",
    "three dots": "a.b.c",
    "algorithm none": UNSIGNED,
    "algorithm HS256 with the public key": forged(key=KEY.public_key().public_bytes_raw(), algorithm="HS256"),
    "another key under our key id": forged(key=OTHER_KEY),
    "another key under its own id": forged({"kid": key_id(OTHER_KEY.public_key().public_bytes_raw())}, key=OTHER_KEY),
    "a key id that is a path": forged({"kid": "../../etc/passwd"}),
    "a key in the header": forged({"jwk": {"kty": "OKP"}}),
    "a key's address in the header": forged({"jku": "https://evil.example/keys"}),
    "another type": forged({"typ": "JWT"}),
    "another issuer": forged(iss="somebody"),
    "another audience": forged(aud="somewhere"),
    "expired": forged(exp=NOW - 1),
    "not yet": forged(nbf=NOW + 3600),
    "no expiry": forged(exp=None),
    "expiry as text": forged(exp="tomorrow"),
    "no session": forged(sid=None),
    "a session that is not": forged(),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_token_is_no_token(running, forgery: str):
    async with running.client() as http:
        answer = await http.get("/api/accounts", headers={"Authorization": f"Bearer {forgery}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"


async def test_a_token_whose_claims_were_changed_is_refused(running):
    token = (await running.login("vic"))["Authorization"].removeprefix("Bearer ")
    head, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    tampered = f"{head}.{_b64(decoded | {'sub': 'ada'})}.{signature}"
    async with running.client() as http:
        answer = await http.get("/api/audit", headers={"Authorization": f"Bearer {tampered}"})
    assert answer.status_code == 401


async def test_a_token_signed_for_another_users_session_is_refused(running):
    """Even our own key cannot give one user's session to another."""
    token = (await running.login("vic"))["Authorization"].removeprefix("Bearer ")
    session = jwt.decode(token, options={"verify_signature": False})["sid"]
    async with running.client() as http:
        answer = await http.get("/api/audit", headers={"Authorization": f"Bearer {forged(sid=session)}"})
    assert answer.status_code == 401


async def test_a_replaced_key_verifies_and_no_longer_signs():
    from algotrendy_common.clock import ManualClock

    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    old = AccessTokens(SEED, (), timedelta(minutes=10), clock)
    token = old.issue("tom", "s" * 32)
    new = AccessTokens("33" * 32, (KEY.public_key().public_bytes_raw().hex(),), timedelta(minutes=10), clock)
    assert new.check(token).username == "tom"
    assert jwt.get_unverified_header(new.issue("tom", "s" * 32))["kid"] != KID


# -- refresh ---------------------------------------------------------------------------------------------------


async def test_refreshing_rotates_the_cookie(running):
    async with running.client() as http:
        first = (await log_in(http)).cookies[COOKIE]
        answer = await http.post("/api/auth/refresh", headers=XHR)
        assert answer.status_code == 200
        assert answer.cookies[COOKIE] != first
        fresh = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await http.get("/api/auth/me", headers=fresh)).status_code == 200


async def test_a_refresh_token_used_twice_ends_the_whole_session(running, sql):
    async with running.client() as http:
        login = await log_in(http)
        stolen = login.cookies[COOKIE]
        refreshed = await http.post("/api/auth/refresh", headers=XHR)
        access = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
        assert (await http.get("/api/auth/me", headers=access)).status_code == 200
    async with running.client() as thief:
        thief.cookies.set(COOKIE, stolen)
        assert (await thief.post("/api/auth/refresh", headers=XHR)).status_code == 401
    async with running.client() as http:
        assert (await http.get("/api/auth/me", headers=access)).status_code == 401
        http.cookies.set(COOKIE, refreshed.cookies[COOKIE])
        assert (await http.post("/api/auth/refresh", headers=XHR)).status_code == 401
    assert await sql.fetchval("SELECT count(*) FROM audit WHERE action = 'refresh_token_reused'") >= 1


async def test_of_many_refreshes_at_once_exactly_one_wins(running):
    async with running.client() as http:
        token = (await log_in(http)).cookies[COOKIE]

    async def refresh() -> int:
        async with running.client() as http:
            http.cookies.set(COOKIE, token)
            return (await http.post("/api/auth/refresh", headers=XHR)).status_code

    answers = await asyncio.gather(*(refresh() for _ in range(32)))
    assert sorted(answers) == [200] + [401] * 31


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-Requested-With": "XMLHttpRequest"}, 403),
        (XHR | {"Origin": "https://evil.example"}, 403),
        (XHR | {"Origin": "null"}, 403),
        (XHR, 200),
    ],
)
async def test_a_foreign_page_cannot_refresh(running, headers: dict[str, str], status: int):
    async with running.client() as http:
        await log_in(http)
        assert (await http.post("/api/auth/refresh", headers=headers)).status_code == status


async def test_without_a_cookie_there_is_nothing_to_refresh(running):
    async with running.client() as http:
        assert (await http.post("/api/auth/refresh", headers=XHR)).status_code == 401
        http.cookies.set(COOKIE, "made up")
        assert (await http.post("/api/auth/refresh", headers=XHR)).status_code == 401


async def test_logging_out_ends_the_session_at_once(running):
    async with running.client() as http:
        access = {"Authorization": f"Bearer {(await log_in(http)).json()['access_token']}"}
        assert (await http.get("/api/auth/me", headers=access)).status_code == 200
        answer = await http.post("/api/auth/logout", headers=XHR)
        assert answer.status_code == 200
        assert f'{COOKIE}=""' in answer.headers["set-cookie"]
        assert (await http.get("/api/auth/me", headers=access)).status_code == 401


async def test_logging_out_by_access_token_alone_works_too(running):
    async with running.client() as http:
        access = {"Authorization": f"Bearer {(await log_in(http)).json()['access_token']}"}
        http.cookies.clear()
        assert (await http.post("/api/auth/logout", headers=XHR | access)).status_code == 200
        assert (await http.get("/api/auth/me", headers=access)).status_code == 401


async def test_a_raised_epoch_ends_every_session_of_the_user_within_a_second(running, sql):
    async with running.client() as http:
        access = {"Authorization": f"Bearer {(await log_in(http, 'uma')).json()['access_token']}"}
        assert (await http.get("/api/auth/me", headers=access)).status_code == 200
        await sql.execute("UPDATE users SET session_epoch = session_epoch + 1 WHERE username = 'uma'")
        await asyncio.sleep(1.1)  # the longest that the cache may still say otherwise
        assert (await http.get("/api/auth/me", headers=access)).status_code == 401
        assert (await http.post("/api/auth/refresh", headers=XHR)).status_code == 401
        running.tokens.pop("uma", None)


async def test_a_new_role_counts_at_once(running, sql):
    async with running.client() as http:
        access = {"Authorization": f"Bearer {(await log_in(http, 'uma')).json()['access_token']}"}
        try:
            await sql.execute("UPDATE users SET role = 'viewer' WHERE username = 'uma'")
            body = {"scope": "all", "reason": "r"}
            assert (await http.post("/api/halt", headers=access, json=body)).status_code == 403
        finally:
            await sql.execute("UPDATE users SET role = 'trader' WHERE username = 'uma'")
            await asyncio.sleep(1.1)


async def test_over_https_the_cookie_is_bound_to_the_host(gateways, world):
    async with gateways(PUBLIC_ORIGIN="https://trade.example.com") as secure, secure.client() as http:
        answer = await http.post("/api/auth/login", json={"username": "tom", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-algotrendy-refresh=")
        assert "Secure" in cookie
        assert "Path=/;" in cookie
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


# -- throttles -------------------------------------------------------------------------------------------------


async def fail(http, username: str) -> int:
    body = {"username": username, "password": "wrong"}
    return (await http.post("/api/auth/login", json=body)).status_code


@pytest.mark.parametrize("username", ["vic", "nobody-at-all"])
async def test_guessing_is_slowed_down_whether_or_not_the_user_exists(gateways, world, forgetful, username: str):
    async with gateways() as fresh, fresh.client() as http:
        answers = [await fail(http, username) for _ in range(7)]
        assert 429 in answers[4:]
        assert set(answers[:4]) <= {401, 429}
        answer = await http.post("/api/auth/login", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_a_user_has_so_many_requests_and_no_more(gateways, world, forgetful):
    async with gateways(REQUESTS_LIMIT="5/1 minute") as small:
        headers = await small.login("ada")
        async with small.client() as http:
            answers = [(await http.get("/api/auth/me", headers=headers)).status_code for _ in range(7)]
            assert answers[-1] == 429
            assert answers.count(200) <= 5
            last = await http.get("/api/auth/me", headers=headers)
            assert int(last.headers["retry-after"]) >= 1
