"""Every route with every role: who may, may; everybody else may not; and a route nobody thought of is closed."""

import pytest
from algotrendy_gateway.api.access import NEEDS, PUBLIC, Access
from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.openapi import document

pytestmark = pytest.mark.asyncio(loop_scope="session")

USERS = {None: None, Role.VIEWER: "vic", Role.TRADER: "tom", Role.ADMIN: "ada"}
ROUTES = [
    (operation["operationId"], method.upper(), path)
    for path, operations in sorted(document()["paths"].items())
    for method, operation in operations.items()
]


def test_every_route_is_in_one_list_and_every_entry_has_a_route():
    names = {name for name, _, _ in ROUTES}
    assert names == NEEDS.keys() | PUBLIC
    assert not NEEDS.keys() & PUBLIC


def test_what_changes_something_takes_more_than_a_viewer():
    harmless = PUBLIC | {"stream_ticket"}
    for name, method, path in ROUTES:
        if method != "GET" and name not in harmless:
            assert NEEDS[name] is not Role.VIEWER, path


def test_each_role_has_all_of_the_one_before():
    assert [[role.covers(needed) for needed in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("role", USERS, ids=lambda role: role or "nobody")
@pytest.mark.parametrize(("name", "method", "path"), ROUTES, ids=[name for name, _, _ in ROUTES])
async def test_a_route_lets_in_whom_it_must_and_nobody_else(running, name, method, path, role):
    if name in PUBLIC:
        return
    url = path.format(order_id="0" * 32, run_id="0" * 32, strategy="none", name="report.html")
    headers = {} if role is None else await running.login(USERS[role])
    async with running.client() as http:
        # A body that nothing accepts: whoever is let in gets a complaint about it, and nothing happens.
        answer = await http.request(method, url, headers=headers, json={"nonsense": True} if method == "POST" else None)
    if role is None:
        assert answer.status_code == 401
    elif not role.covers(NEEDS[name]):
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"
    else:
        assert answer.status_code not in (401, 403), answer.text


async def test_a_route_in_no_list_is_closed_to_the_administrator(running, monkeypatch):
    """Deny by default: the table is asked at every call."""
    assert isinstance(Access, type)
    monkeypatch.delitem(NEEDS, "alerts")
    answer = await running.call("ada", "GET", "/api/alerts")
    assert answer.status_code == 403
