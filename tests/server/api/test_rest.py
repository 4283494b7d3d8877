"""REST through Quart's own test client, on a real SQLite file."""

import base64
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.jwk import OctKey
from msgspec.structs import replace

from server.api import pages as pages_module
from server.api.pages import Pages
from server.domain.refusal import Code

KEY = b"a key of the shop's, 32 bytes long"
ORIGIN = "https://shop.example"
PASSWORD = "correct horse"
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Rest:
    """Asks the server; by default from this machine, over TLS."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.client = site.parts.quart.test_client()

    async def __call__(
        self, method: str, path: str, body: Any = None, *, peer: str = "127.0.0.1", **headers: str
    ) -> Any:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            headers.setdefault("Content-Type", "application/json")
        return await self.client.open(
            path,
            method=method,
            data=data,
            headers={"Host": "chat.example", **headers},
            scheme="https",
            scope_base={"client": (peer, 1)},
        )


@pytest.fixture
async def rest(site: Any) -> Rest:
    directory = site.parts.storage.directory
    agent = await directory.get_agent(site.agent.id)
    await directory.put_agent(replace(agent, password_hash=FAST.hash(PASSWORD)))
    shop = await directory.get_shop("shop")
    key = base64.urlsafe_b64encode(KEY).decode().rstrip("=")
    await directory.put_shop(replace(shop, identity_key=key))
    return Rest(site)


async def error(response: Any) -> tuple[int, str]:
    body = await response.get_json()
    assert set(body) == {"code", "message"}
    assert body["message"]
    return response.status_code, body["code"]


def signed(key: bytes = KEY, alg: str = "HS256", **claims: Any) -> str:
    claims = {"exp": int(time.time()) + 60, **claims}
    return jwt.encode({"alg": alg}, claims, OctKey.import_key(key), algorithms=[alg])


async def visitor(rest: Rest, **body: Any) -> Any:
    response = await rest("POST", "/v1/visitor/session", {"shop": "shop", **body})
    assert response.status_code == 200, await response.get_data()
    return await response.get_json()


async def test_a_visitors_session(rest: Rest) -> None:
    got = await visitor(rest, language="de", page="https://shop.example/boots")
    assert got["visitor"].startswith("v:")
    assert got["shop"] == {"id": "shop", "name": "A Shop", "settings": {}}
    assert got["expires_at"] > time.time() * 1000 + 86_400_000
    assert got["connect"]["websocket"] == {"url": "wss://chat.example/v1/live"}
    assert got["connect"]["webtransport"]["url"] == "https://chat.example/v1/live"
    assert len(got["connect"]["webtransport"]["certificate_hashes"]) == 2
    assert (got["connect"]["version"], got["connect"]["head_start"]) == (1, 300)
    peer = await rest.site.greet(got["token"])
    from transport.wire.frames import Welcome

    assert (await peer.until(Welcome)).me == got["visitor"]


async def test_the_former_token_keeps_the_visitor(rest: Rest) -> None:
    first = await visitor(rest)
    assert (await visitor(rest, token=first["token"]))["visitor"] == first["visitor"]
    assert (await visitor(rest))["visitor"] != first["visitor"]
    for bad in ("rubbish", first["token"][:-5] + "AAAAA", rest.site.token(rest.site.agent)):
        assert (await visitor(rest, token=bad))["visitor"] != first["visitor"]


async def test_the_page_a_visitor_is_on_is_a_page(rest: Rest) -> None:
    directory = rest.site.parts.storage.directory
    for page, kept in (
        ("https://shop.example/a", '{"page":"https://shop.example/a"}'),
        ("javascript:alert(1)", "{}"),
        ("/relative", "{}"),
    ):
        id = UUID((await visitor(rest, page=page))["visitor"][2:])
        assert (await directory.get_visitor(id)).profile == kept


async def test_an_expired_token_still_says_who_one_was(rest: Rest) -> None:
    expired = rest.site.token(rest.site.visitor, lifetime=-10)
    assert (await visitor(rest, token=expired))["visitor"] == rest.site.visitor.who
    ancient = rest.site.token(rest.site.visitor, lifetime=-400 * 86_400)
    assert (await visitor(rest, token=ancient))["visitor"] != rest.site.visitor.who


async def test_a_visitor_whom_the_shop_names(rest: Rest) -> None:
    anonymous = await visitor(rest)
    said = signed(sub="c-17", name="Ada", email="ada@shop.example")
    named = await visitor(rest, token=anonymous["token"], identity=said)
    assert named["visitor"] == anonymous["visitor"]
    elsewhere = await visitor(rest, identity=signed(sub="c-17"))
    assert elsewhere["visitor"] == named["visitor"]
    # Without the shop's word the token alone does not give the named visitor back.
    assert (await visitor(rest, token=named["token"]))["visitor"] != named["visitor"]
    other = await visitor(rest, token=named["token"], identity=signed(sub="c-18"))
    assert other["visitor"] != named["visitor"]
    id = named["visitor"].removeprefix("v:")
    record = await rest.site.parts.storage.directory.find_visitor("shop", "c-17")
    assert (str(record.id), record.name, record.email) == (id, "Ada", "ada@shop.example")


@pytest.mark.parametrize(
    "identity",
    [
        "rubbish",
        signed(b"another key, just as long as the one", sub="c-17"),
        signed(sub="c-17", exp=1),
        signed(sub=""),
        signed(sub=5),
        signed(),
        signed(sub="c-17", exp=None),
        signed(sub="c-17", exp="tomorrow"),
        signed(KEY * 2, "HS512", sub="c-17"),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjLTE3IiwiZXhwIjo5OTk5OTk5OTk5fQ.",
    ],
)
async def test_bad_identities(rest: Rest, identity: str) -> None:
    response = await rest("POST", "/v1/visitor/session", {"shop": "shop", "identity": identity})
    assert await error(response) == (401, "unauthenticated")


async def test_a_foreign_origin_and_an_unknown_shop(rest: Rest) -> None:
    path, body = "/v1/visitor/session", {"shop": "shop"}
    for origin, status in ((ORIGIN, 200), ("https://chat.example", 200)):
        assert (await rest("POST", path, body, Origin=origin)).status_code == status
    for origin in ("https://other.example", "null", "http://shop.example"):
        assert await error(await rest("POST", path, body, Origin=origin)) == (403, "forbidden")
    assert await error(await rest("POST", path, {"shop": "none"})) == (404, "not_found")


async def test_cors_is_for_the_shops_pages_only(rest: Rest) -> None:
    for method, body in (("OPTIONS", None), ("POST", {"shop": "shop"})):
        ours = await rest(method, "/v1/visitor/session", body, Origin=ORIGIN)
        assert ours.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Origin" in ours.headers["Vary"]
        foreign = await rest(method, "/v1/visitor/session", body, Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in foreign.headers
    agent = await rest("POST", "/v1/agent/session", {"email": "", "password": ""}, Origin=ORIGIN)
    assert "Access-Control-Allow-Origin" not in agent.headers


async def test_an_agent_signs_in_and_refreshes(rest: Rest) -> None:
    login = {"email": " Ann@Shop.example", "password": PASSWORD}
    response = await rest("POST", "/v1/agent/session", login)
    got = await response.get_json()
    assert response.status_code == 200, got
    assert response.headers["Cache-Control"] == "no-store"
    assert got["agent"] == {
        "id": rest.site.agent.who,
        "name": "ann",
        "email": "ann@shop.example",
        "role": "agent",
        "shop": "shop",
    }
    path, bearer = "/v1/agent/session/refresh", f"Bearer {got['token']}"
    again = await (await rest("POST", path, Authorization=bearer)).get_json()
    assert again["agent"] == got["agent"]
    assert await error(await rest("POST", path)) == (401, "unauthenticated")
    other = f"Bearer {rest.site.token(rest.site.visitor)}"
    assert await error(await rest("POST", path, Authorization=other)) == (401, "unauthenticated")
    expired = f"Bearer {rest.site.token(rest.site.agent, lifetime=-1)}"
    assert await error(await rest("POST", path, Authorization=expired)) == (401, "token_expired")


async def test_wrong_sign_ins_look_alike_and_are_limited(rest: Rest) -> None:
    path, answers = "/v1/agent/session", []
    for email in ("ann@shop.example", "nobody@shop.example"):
        response = await rest("POST", path, {"email": email, "password": "wrong"})
        answers.append((response.status_code, await response.get_json()))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    for n in range(9):
        await rest("POST", path, {"email": "ann@shop.example", "password": f"wrong {n}"})
    good = {"email": "ann@shop.example", "password": PASSWORD}
    limited = await rest("POST", path, good, peer="10.0.0.9")
    assert await error(limited) == (429, "rate_limited")
    assert int(limited.headers["Retry-After"]) >= 1


async def test_sign_ins_that_fit_are_not_counted(rest: Rest) -> None:
    login = {"email": "ann@shop.example", "password": PASSWORD}
    for _ in range(12):
        assert (await rest("POST", "/v1/agent/session", login)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"", 400),
        (b'{"shop": 5}', 400),
        (b'{"shop": "' + b"x" * 65 + b'"}', 400),
        (b'{"shop": "' + b"x" * 40_000 + b'"}', 413),
    ],
)
async def test_bad_bodies(rest: Rest, body: bytes, status: int) -> None:
    response = await rest("POST", "/v1/visitor/session", body)
    code = "invalid" if status == 400 else "request_entity_too_large"
    assert await error(response) == (status, code)


async def test_unknown_paths_and_methods(rest: Rest) -> None:
    assert await error(await rest("GET", "/v1/nothing")) == (404, "not_found")
    assert await error(await rest("GET", "/v1/agent/session")) == (405, "method_not_allowed")
    assert await error(await rest("GET", "/v1/demo")) == (404, "not_found")
    assert await error(await rest("GET", "/console/../../config.py")) == (404, "not_found")


async def test_security_headers(rest: Rest) -> None:
    response = await rest("GET", "/healthz")
    csp = response.headers["Content-Security-Policy"]
    assert csp.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "connect-src 'self' wss://chat.example/v1/live https://chat.example/v1/live;" in csp
    assert "unsafe" not in csp
    assert "frame-ancestors 'none'" in csp
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    local = await rest("GET", "/healthz", Host="localhost:8443")
    assert "Strict-Transport-Security" not in local.headers


async def test_health_and_readiness(rest: Rest) -> None:
    assert (await rest("GET", "/healthz")).status_code == 200
    assert (await rest("GET", "/readyz")).status_code == 200
    rest.site.parts.leaving.now = True
    assert await error(await rest("GET", "/readyz")) == (503, "draining")
    rest.site.parts.leaving.now = False
    await rest.site.parts.storage.log.close()
    assert await error(await rest("GET", "/readyz")) == (503, "unavailable")
    assert (await rest("GET", "/healthz")).status_code == 200


async def test_metrics_are_for_this_machine(rest: Rest) -> None:
    text = (await (await rest("GET", "/metrics")).get_data()).decode()
    for name in ("tradewind_append_seconds_bucket", 'tradewind_lane_total{what="frames_sent"}'):
        assert name in text
    assert await error(await rest("GET", "/metrics", peer="10.0.0.9")) == (403, "forbidden")


async def test_openapi_describes_what_is_there(rest: Rest) -> None:
    paths = (await (await rest("GET", "/openapi.json")).get_json())["paths"]
    assert set(paths) >= {
        "/v1/visitor/session",
        "/v1/agent/session",
        "/v1/agent/session/refresh",
        "/v1/connect",
        "/healthz",
        "/readyz",
    }


async def test_visitor_sessions_are_limited_by_address(rest: Rest) -> None:
    path, body = "/v1/visitor/session", {"shop": "shop"}
    statuses = [(await rest("POST", path, body, peer="2001:db8::1")).status_code for _ in range(62)]
    assert statuses[-1] == 429
    # The same customer from the next address of their /64; another one is not touched.
    assert (await rest("POST", path, body, peer="2001:db8::2")).status_code == 429
    assert (await rest("POST", path, body, peer="2001:db8:0:1::1")).status_code == 200


async def test_a_store_that_cannot_be_reached(rest: Rest) -> None:
    await rest.site.parts.storage.directory.close()
    response = await rest("POST", "/v1/agent/session", {"email": "a@b", "password": "c"})
    assert await error(response) == (503, Code.UNAVAILABLE)
    assert response.headers["Retry-After"] == "2"


class TestPages:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "pages/console/assets").mkdir(parents=True)
        (tmp_path / "pages/widget.js").write_text("// widget\n" * 100)
        (tmp_path / "pages/console/index.html").write_text("<!doctype html>")
        (tmp_path / "pages/console/assets/main-abc123.js").write_text("export {}")
        (tmp_path / "secret").write_text("secret")
        return tmp_path / "pages"

    @pytest.fixture
    async def paged(self, site: Any, folder: Path) -> Rest:
        from quart import Quart

        from server.api import errors

        app = Quart("pages", static_folder=None)
        app.register_blueprint(pages_module.blueprint(Pages(folder), start="/console/"))
        errors.install(app)
        rest = Rest(site)
        rest.client = app.test_client()
        return rest

    async def test_they_are_served_with_fitting_caches(self, paged: Rest) -> None:
        page = await paged("GET", "/console/")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Cache-Control"] == "no-cache"
        asset = await paged("GET", "/console/assets/main-abc123.js")
        assert asset.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert "immutable" in asset.headers["Cache-Control"]
        widget = await paged("GET", "/widget.js", Accept_Encoding="gzip")
        assert widget.headers["Content-Encoding"] == "gzip"
        assert widget.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        root = await paged("GET", "/")
        assert (root.status_code, root.headers["Location"]) == (302, "/console/")

    async def test_what_did_not_change_is_not_sent_again(self, paged: Rest, folder: Path) -> None:
        etag = (await paged("GET", "/console/")).headers["ETag"]
        assert (await paged("GET", "/console/", If_None_Match=etag)).status_code == 304
        (folder / "console/index.html").write_text("<!doctype html><title>new</title>")
        fresh = await paged("GET", "/console/", If_None_Match=etag)
        assert fresh.status_code == 200
        assert b"new" in await fresh.get_data()

    @pytest.mark.parametrize(
        "path",
        ["/console/../../secret", "/console/%2e%2e/%2e%2e/secret", "/console/nothing", "/demo/"],
    )
    async def test_nothing_else_is(self, paged: Rest, path: str) -> None:
        assert await error(await paged("GET", path)) == (404, "not_found")

    def test_names_that_lead_out_find_nothing(self, folder: Path) -> None:
        pages = Pages(folder)
        for name in ("../secret", "console/../../secret", "/etc/passwd", "console", "x\0y"):
            assert pages.find(name) is None
        assert pages.find("widget.js") is not None
