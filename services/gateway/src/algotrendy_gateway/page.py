"""The web page: a folder of exported files, served with the right names, ages and content policy.

Invariant: nothing outside the folder is ever read, and an inline script runs only if the export's list has its hash.
"""

import asyncio
import gzip
import hashlib
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
_HASHED = "_next/static/"
"""Files below it have their content's hash in their name."""
_HASHES_FILE = "csp-hashes.json"
_WORTH_PACKING = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")
_PACK_FROM = 1024

_UNBUILT = """<!doctype html><html lang="en"><title>AlgoTrendy</title>
<h1>The page is not built yet</h1>
<p>The gateway runs, its API answers under <code>/api</code>. To build the page:
<code>cd web &amp;&amp; npm ci &amp;&amp; npm run build</code>, then load this again.</p>
<p>It is looked for in <code>ALGOTRENDY_GATEWAY_PAGE_DIR</code>.</p></html>"""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the export as it goes out."""

    body: bytes
    packed: bytes | None
    media_type: str
    etag: str


def content_policy(script_hashes: list[str]) -> str:
    """Scripts of our own files and the inline ones whose hashes are given; nothing from anywhere else."""
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *script_hashes)),
            # The chart and the components set style attributes; styles cannot call out with the rest of this policy.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Pages:
    """An ASGI application. Files are read when first asked for, and again when they changed."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._read: dict[Path, tuple[tuple[int, int], Page]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await asyncio.to_thread(self.answer, scope)
        await response(scope, receive, send)

    def answer(self, scope: Scope) -> Response:
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if path == "/api" or path.startswith("/api/"):
            raise HTTPException(404)
        if not (self._root / "index.html").is_file():
            return HTMLResponse(_UNBUILT, 503, headers={"Content-Security-Policy": content_policy([])})
        file = self._inside(path)
        if file is not None and file.is_dir():
            if not path.endswith("/"):
                return RedirectResponse(f"{path}/", 308)
            file /= "index.html"
        status = 200
        if file is None or not file.is_file():
            file, status = self._root / "404.html", 404
            if not file.is_file():
                raise HTTPException(404)
        return self._file(file, status, Headers(scope=scope))

    def _inside(self, path: str) -> Path | None:
        """The file a path names; None for one that leads out of the folder or cannot be a file's name."""
        if "\0" in path:
            return None
        file = (self._root / path.lstrip("/")).resolve()
        return file if file.is_relative_to(self._root) else None

    def _file(self, file: Path, status: int, headers: Headers) -> Response:
        page = self._load(file)
        name = file.relative_to(self._root).as_posix()
        out = {
            "ETag": page.etag,
            "Cache-Control": _IMMUTABLE if name.startswith(_HASHED) else _REVALIDATE,
            "Vary": "Accept-Encoding",
        }
        if page.media_type == "text/html":
            out["Content-Security-Policy"] = content_policy(self._script_hashes(name))
        if status == 200 and headers.get("if-none-match") == page.etag:
            return Response(status_code=304, headers=out)
        body = page.body
        if page.packed is not None and "gzip" in headers.get("accept-encoding", ""):
            body, out["Content-Encoding"] = page.packed, "gzip"
        return Response(body, status, headers=out, media_type=page.media_type)

    def _load(self, file: Path) -> Page:
        facts = file.stat()
        version = (facts.st_mtime_ns, facts.st_size)
        known = self._read.get(file)
        if known is not None and known[0] == version:
            return known[1]
        body = file.read_bytes()
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if media_type == "text/javascript":
            media_type = "application/javascript"
        packed = None
        if len(body) >= _PACK_FROM and media_type.startswith(_WORTH_PACKING):
            packed = gzip.compress(body, 6, mtime=0)
        page = Page(body, packed, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        self._read[file] = (version, page)
        return page

    def _script_hashes(self, name: str) -> list[str]:
        """Hashes of one page's inline scripts; none where the export has no list, so that none of them runs."""
        file = self._root / _HASHES_FILE
        if not file.is_file():
            return []
        listed: dict[str, list[str]] = json.loads(self._load(file).body)["pages"]
        return listed.get(name, [])
