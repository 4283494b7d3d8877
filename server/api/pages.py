"""The built pages: the widget, the console, the demo shop.

What holds always: nothing outside the folder is served; a file's ETag is a hash of its content;
what has a hash in its name is cached for ever, the rest is asked for again. A file is read once,
and again when it changes; at most MAX_FILES are held.
May import: api.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from pathlib import Path

from msgspec import Struct
from quart import Blueprint, Response, redirect, request
from quart_schema import hide
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as Plain

FOLDER = Path(__file__).parent.parent / "pages"
"""Where `make web` puts what it builds."""
MAX_FILES = 500
"""Files held in memory; over it, those of the others are read each time."""
MIN_GZIP = 500
"""Bytes under which compressing gains nothing."""
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
A_WHILE = "public, max-age=300"
"""The widget: embedded by shops under a name that never changes."""
_TEXT = ("text/", "application/javascript", "application/json", "image/svg")


class File(Struct, frozen=True):
    """One file, ready to send."""

    stamp: tuple[int, int]
    kind: str
    etag: str
    data: bytes
    packed: bytes | None


class Pages:
    """The files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files: dict[Path, File] = {}

    def built(self) -> bool:
        """Whether there is anything to serve."""
        return (self._folder / "widget.js").is_file()

    def find(self, name: str) -> File | None:
        """The file, or None when there is none of this name in the folder."""
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder) or path.name.startswith("."):
                return None
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            file = self._files.get(path)
            if file is None or file.stamp != stamp:
                file = _read(path, stamp)
                if len(self._files) < MAX_FILES:
                    self._files[path] = file
        except (OSError, ValueError):  # ValueError: a null byte in the name.
            return None
        return file


def blueprint(pages: Pages, *, start: str) -> Blueprint:
    """The routes. `start` is where the bare address leads."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    @hide
    async def root() -> Plain:
        return redirect(start)

    @routes.get("/widget.js")
    @hide
    async def widget() -> Response:
        response = _answer(pages, "widget.js", A_WHILE)
        # Shops load it from their own origins.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @routes.get("/<any(console, demo):page>/")
    @hide
    async def index(page: str) -> Response:
        return _answer(pages, f"{page}/index.html", ASK_AGAIN)

    @routes.get("/<any(console, demo):page>/<path:name>")
    @hide
    async def inside(page: str, name: str) -> Response:
        cache = FOR_EVER if name.startswith("assets/") else ASK_AGAIN
        return _answer(pages, f"{page}/{name}", cache)

    return routes


def _answer(pages: Pages, name: str, cache: str) -> Response:
    file = pages.find(name)
    if file is None:
        raise NotFound(
            "there is no such page" if pages.built() else "the pages are not built: run `make web`"
        )
    headers = {"ETag": f'W/"{file.etag}"', "Cache-Control": cache, "Vary": "Accept-Encoding"}
    if request.if_none_match.contains_weak(file.etag):
        return Response(b"", 304, headers)
    if file.packed is not None and request.accept_encodings["gzip"] > 0:
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, 200, headers, content_type=file.kind)
    return Response(file.data, 200, headers, content_type=file.kind)


def _read(path: Path, stamp: tuple[int, int]) -> File:
    data = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix == ".js":
        kind = "text/javascript"
    if path.suffix == ".woff2":
        kind = "font/woff2"
    text = kind.startswith(_TEXT)
    packed = gzip.compress(data, 9, mtime=0) if text and len(data) >= MIN_GZIP else None
    etag = hashlib.sha256(data).hexdigest()[:32]
    return File(stamp, f"{kind}; charset=utf-8" if text else kind, etag, data, packed)
