"""Nobody sees a page or changes anything without a login, and no other site can use that of a browser."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.web.operators import CONFIG, TOKEN, Browser
from web.admin.login import LASTS_S, Logins

PAGES = ["/admin/", "/admin/sessions", "/admin/session?id=s", "/admin/models", "/admin/replicas", "/admin/queue"]
PIN = '{"model_name":"openai/a","route_name":null}'
CHANGES = [
    ("/admin/session/pin", {"id": "s", "model": "openai/b"}),
    ("/admin/session/unpin", {"id": "s"}),
    ("/admin/session/hold", {"id": "s"}),
    ("/admin/session/release", {"id": "s"}),
    ("/admin/models/drain", {"model": "openai/a"}),
    ("/admin/models/undrain", {"model": "openai/a"}),
    ("/admin/logout", {}),
]


@pytest.fixture(scope="module")
def address(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web process with an admin token."""
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin-login"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def browser(address: str, store: redis.Redis) -> Browser:
    """A browser that is logged in; the session s is pinned."""
    store.set("plano:affinity:s", PIN, ex=60)
    browser = Browser(address)
    assert browser.log_in().status_code == 303
    return browser


def test_without_a_token_set_there_is_nothing_there(redis_server: RedisServer, tmp_path: Path) -> None:
    port = free_port()
    with running(Pool(tmp_path, CONFIG, redis_server.url)) as pool:
        pool.web(port)
        browser = Browser(f"http://127.0.0.1:{port}")
        answers = [browser.see(page) for page in (*PAGES, "/admin/login", "/admin/api/v1/sessions")]

    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize("page", PAGES)
def test_who_is_not_logged_in_is_sent_to_the_login(address: str, store: redis.Redis, page: str) -> None:
    """And is told the same of a session that is there as of one that is not."""
    there = Browser(address).see(page)
    store.set("plano:affinity:s", PIN, ex=60)

    also = Browser(address).see(page)

    assert (there.status_code, there.headers["Location"][:18]) == (303, "/admin/login?next=")
    assert (also.status_code, also.headers["Location"], also.text) == (303, there.headers["Location"], there.text)


def test_a_page_whose_login_has_ended_goes_to_the_login(address: str) -> None:
    """Its live part would else become the form of the login."""
    answer = requests.get(f"{address}/admin/models", headers={"HX-Request": "true"}, timeout=30)

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/admin/login?next=/admin/models")


@pytest.mark.parametrize(("path", "fields"), CHANGES)
def test_who_is_not_logged_in_changes_nothing(
    address: str, store: redis.Redis, path: str, fields: dict[str, str]
) -> None:
    store.set("plano:affinity:s", PIN, ex=60)

    answer = Browser(address).send(path, fields)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/login?next=/admin/")
    assert store.get("plano:affinity:s") == PIN.encode()
    assert store.keys("plano:drain:*") == []


@pytest.mark.parametrize("token", ["", "operators-onl", "operators-only-not", "ü"])
def test_a_wrong_token_opens_nothing(address: str, token: str) -> None:
    browser = Browser(address)

    answer = browser.log_in(token)

    assert answer.status_code == 403
    assert "not the admin token" in answer.text
    assert browser.cookie == ""


@pytest.mark.parametrize(("scheme", "secure"), [("", False), ("http", False), ("https", True)])
def test_the_cookie_is_for_this_site_and_for_no_script(address: str, scheme: str, *, secure: bool) -> None:
    answer = Browser(address).log_in(**({"X-Forwarded-Proto": scheme} if scheme else {}))

    _, *flags = answer.headers["Set-Cookie"].split("; ")
    wanted = {"HttpOnly", "SameSite=Strict", "Path=/admin", f"Max-Age={LASTS_S}"}
    assert {flag for flag in flags if not flag.startswith("Expires")} == wanted | ({"Secure"} if secure else set())
    assert TOKEN not in answer.headers["Set-Cookie"]


def test_a_cookie_of_another_token_or_one_that_was_changed_is_none(address: str, browser: Browser) -> None:
    changed = browser.cookie[:-2] + ("BB" if browser.cookie.endswith("AA") else "AA")
    others = [Logins("another").begin("eve"), changed, "eve", "x" * 5000, '"']

    answers = [
        requests.get(
            f"{address}/admin/", headers={"Cookie": f"plano_admin={value}"}, allow_redirects=False, timeout=30
        )
        for value in others
    ]

    assert [answer.status_code for answer in answers] == [303] * 5


def test_a_login_ends_by_itself() -> None:
    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - LASTS_S - 1

    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    old = URLSafeTimedSerializer(TOKEN, salt="plano-admin", signer=Earlier, signer_kwargs=options)
    new = URLSafeTimedSerializer(TOKEN, salt="plano-admin", signer_kwargs=options)

    found = [Logins(TOKEN).operator(str(each.dumps(["ada", "x"]))) for each in (old, new)]

    assert found[0] is None
    assert found[1] is not None


def test_who_logs_out_has_no_cookie_any_more(browser: Browser) -> None:
    before = browser.see("/admin/replicas").status_code

    answer = browser.press("/admin/replicas", "/admin/logout")

    assert (before, answer.status_code, browser.cookie) == (200, 303, "")
    assert browser.see("/admin/replicas").status_code == 303


@pytest.mark.parametrize(("path", "fields"), CHANGES)
@pytest.mark.parametrize("csrf", [None, "", "wrong", "ü", "another login's"])
def test_a_form_of_another_site_changes_nothing(
    browser: Browser, store: redis.Redis, path: str, fields: dict[str, str], csrf: str | None
) -> None:
    """The cookie alone does not do, should a browser send it where it must not."""
    if csrf == "another login's":
        operator = Logins(TOKEN).operator(Logins(TOKEN).begin("ada"))
        assert operator
        csrf = operator.csrf

    answer = browser.send(path, fields if csrf is None else {**fields, "csrf": csrf})

    assert answer.status_code == 403
    assert "Open the page anew" in answer.text
    assert store.get("plano:affinity:s") == PIN.encode()
    assert store.keys("plano:drain:*") == []
    assert browser.see("/admin/replicas").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/admin/models", "/admin/models"),
        ("/admin/session?id=a%2Fb", "/admin/session?id=a%2Fb"),
        *(
            (text, "/admin/")
            for text in ("", "//evil.example", "https://evil.example", "/admin/\\x", "/v1", "/admin/\r\nX: y")
        ),
    ],
)
def test_the_login_leads_to_pages_of_ours_alone(address: str, wanted: str, led_to: str) -> None:
    answer = Browser(address).send("/admin/login", {"token": TOKEN, "next": wanted})

    assert (answer.status_code, answer.headers["Location"]) == (303, led_to)


@pytest.mark.parametrize("page", [*PAGES, "/admin/login", "/admin/session?id=nobody", "/admin/sessions?count=x"])
def test_no_page_has_a_script_or_a_style_in_it_or_may_run_another_ones(browser: Browser, page: str) -> None:
    answer = browser.see(page)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text) == []


def test_a_cookie_opens_no_api(address: str, browser: Browser) -> None:
    """Else a change would need no check of forms."""
    answer = requests.post(
        f"{address}/admin/api/v1/session/unpin", json={"id": "s"}, cookies={"plano_admin": browser.cookie}, timeout=30
    )

    assert answer.status_code == 401


def test_the_files_of_pages_need_no_login_and_are_no_way_out(address: str) -> None:
    names = [
        "admin.css",
        "vendor/htmx-2.0.11.min.js",
        "vendor/none.js",
        "../login.py",
        "..%2flogin.py",
        "%2e%2e/login.py",
    ]

    answers = [requests.get(f"{address}/admin/static/{name}", timeout=30) for name in names]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 404, 404, 404]
    assert answers[0].headers["Content-Type"].startswith("text/css")
    assert "max-age=31536000" in answers[1].headers["Cache-Control"]
