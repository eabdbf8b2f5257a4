"""The page's files: right names, right ages, right policy, and nothing from outside the folder."""

import pytest
from algotrendy_gateway.page import content_policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def fetch(running, path: str, **headers: str):
    async with running.client() as http:
        return await http.get(path, headers=headers)


async def test_a_page_may_run_its_own_inline_scripts_only(running):
    answer = await fetch(running, "/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' 'sha256-AAAA';" in policy
    assert "frame-ancestors 'none'" in policy
    other = (await fetch(running, "/terminal/")).headers["content-security-policy"]
    assert "script-src 'self';" in other


async def test_a_policy_never_allows_any_inline_script():
    scripts = next(part for part in content_policy(["'sha256-x'"]).split("; ") if part.startswith("script-src"))
    assert "unsafe" not in scripts


async def test_hashed_files_are_kept_for_ever(running):
    answer = await fetch(running, "/_next/static/app-abc123.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("application/javascript")


async def test_an_unchanged_page_is_not_sent_again(running):
    etag = (await fetch(running, "/")).headers["etag"]
    answer = await fetch(running, "/", **{"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_a_page_goes_out_packed_to_who_can_unpack_it(running):
    assert (await fetch(running, "/")).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in (await fetch(running, "/", **{"Accept-Encoding": "identity"})).headers


async def test_a_changed_page_is_read_again(running, page_dir):
    (page_dir / "changing.html").write_text("<!doctype html>one")
    assert "one" in (await fetch(running, "/changing.html")).text
    (page_dir / "changing.html").write_text("<!doctype html>another")
    assert "another" in (await fetch(running, "/changing.html")).text


async def test_a_folder_without_its_slash_is_redirected(running):
    answer = await fetch(running, "/terminal")
    assert (answer.status_code, answer.headers["location"]) == (308, "/terminal/")


@pytest.mark.parametrize(
    "path", ["/nothing", "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/terminal/..%2f..%2fsecret.txt",
             "/%00", "//etc/passwd", "/etc/passwd"],
)  # fmt: skip
async def test_nothing_outside_is_read(running, path: str):
    answer = await fetch(running, path)
    assert answer.status_code == 404
    assert "lost" in answer.text


async def test_without_an_export_it_says_how_to_build_one(gateways, world):
    async with gateways() as bare:
        answer = await fetch(bare, "/")
        assert answer.status_code == 503
        assert "npm run build" in answer.text
        assert (await fetch(bare, "/api/public/status")).status_code == 200
