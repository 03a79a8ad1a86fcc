"""The operator's API: for who knows the token, whatever a session is called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.web.operators import CONFIG, TOKEN, Api, Browser

ODD_IDS = [
    "a/b",
    "/",
    "//x",
    "..",
    "a?b#c&d=e",
    "a%2Fb",
    "a+b c",
    "é",
    "\u6f22:字",
    "%",
    "<script>alert(1)</script>",
    "a~b",
]
PIN = '{"model_name":"openai/a","route_name":null}'
ASKED = [
    "/sessions",
    "/session?id=s",
    "/models",
    "/pool",
    "/stats",
    "/pins",
    "/pin?key=plano:affinity:s",
    "/openapi.json",
]
DONE = ["/session/pin", "/session/unpin", "/session/hold", "/session/release", "/models/drain", "/models/undrain"]


@pytest.fixture(scope="module")
def address(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web process with an admin token."""
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin-api"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def api(address: str, store: redis.Redis) -> Api:  # noqa: ARG001 - it empties Redis
    return Api(address)


def events(api: Api, **named: Any) -> list[dict[str, Any]]:
    return list(api.get("/session", **named).json()["events"])


@pytest.mark.parametrize("token", [None, "", "operators-onl", "operators-only-not", "ü"])
def test_who_does_not_know_the_token_is_told_nothing(address: str, store: redis.Redis, token: str | None) -> None:
    """And cannot tell a session that is there from one that is not."""
    store.set("plano:affinity:s", PIN, ex=60)
    api = Api(address, token.encode().decode("latin-1") if token else token)

    answers = [api.get(path) for path in ASKED] + [api.post(path, id="s", model="b") for path in DONE]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["error"]["code"] for answer in answers} == {"invalid_api_key"}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert answers[0].headers["WWW-Authenticate"] == 'Bearer realm="plano"'
    assert store.get("plano:affinity:s") == PIN.encode()


def test_the_token_as_a_password_is_not_taken(address: str) -> None:
    """Browsers send passwords by themselves; they have a login."""
    answer = Api(address, None).call("GET", "/models", auth=("anyone", TOKEN))

    assert answer.status_code == 401


@pytest.mark.parametrize("session", ODD_IDS)
def test_a_session_of_any_name_is_pinned_held_shown_listed_and_unpinned(api: Api, session: str) -> None:
    named = {"id": session, "tenant": "acme"}

    pinned = api.post("/session/pin", **named, model="b", why="because")
    held = api.post("/session/hold", **named)
    shown = api.get("/session", **named)
    listed = api.get("/sessions", every="true", text=session)
    ended = api.post("/session/unpin", **named)
    again = api.post("/session/unpin", **named)

    assert (pinned.status_code, pinned.json()["model"], pinned.json()["held"]) == (200, "openai/b", False)
    assert held.json()["held"] is True
    assert (shown.json()["session"]["id"], shown.json()["session"]["model"]) == (session, "openai/b")
    assert [row["id"] for row in listed.json()["sessions"]] == [session]
    assert (ended.status_code, again.status_code) == (204, 404)
    assert again.json()["error"]["code"] == "no_pin"


def test_every_change_is_an_event_with_who_and_why(api: Api) -> None:
    api.post("/session/pin", id="s", model="a", why="for a test")
    api.post("/session/pin", id="s", model="b")
    api.post("/session/hold", id="s", why="demo")
    api.post("/session/release", id="s")
    api.post("/session/unpin", id="s")

    found = events(api, id="s")

    assert [(event["what"], event["why"], event["who"]) for event in found] == [
        ("edited", each, "ada") for each in ("pin", "pin", "hold", "release", "unpin")
    ]
    assert [event.get("facts", {}).get("reason") for event in found] == ["for a test", None, "demo", None, None]
    assert (found[1]["left"], found[1]["model"]) == ("openai/a", "openai/b")


def test_a_pin_lives_as_long_as_was_asked(api: Api) -> None:
    short = api.post("/session/pin", id="s", model="a", ttl_s=30).json()
    usual = api.post("/session/pin", id="t", model="a").json()

    assert 25 <= short["ttl_s"] <= 30
    assert 590 <= usual["ttl_s"] <= 600


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/session/pin", {"id": "s", "model": "openai/unknown"}, 404, "model"),
        ("/session/pin", {"id": "s", "model": ""}, 400, "model"),
        ("/session/pin", {"id": "s"}, 400, None),
        ("/session/pin", {"id": "", "model": "a"}, 400, "id"),
        ("/session/pin", {"id": "  ", "model": "a"}, 400, "id"),
        ("/session/pin", {"id": "\u0000", "model": "a"}, 400, "id"),
        ("/session/pin", {"id": "x" * 257, "model": "a"}, 400, "id"),
        ("/session/pin", {"id": "s", "model": "a", "ttl_s": -1}, 400, "ttl_s"),
        ("/session/pin", {"id": "s", "model": "a", "tll_s": 10}, 400, None),
        ("/session/unpin", {"id": "nobody"}, 404, None),
        ("/session/hold", {"id": "nobody"}, 404, None),
        ("/session/release", {"id": "nobody"}, 404, None),
        ("/models/drain", {"model": "openai/unknown"}, 404, "model"),
        ("/models/drain", {"model": "openai/a", "now": "perhaps"}, 400, "now"),
        ("/models/undrain", {"model": "openai/unknown"}, 404, "model"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    api: Api, store: redis.Redis, path: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    answer = api.post(path, **body)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param
    assert 10 < len(answer.json()["error"]["message"]) < 300
    assert store.keys("plano:affinity:*") + store.keys("plano:drain:*") == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"id":"\xff"}', b"[" * 5000])
def test_a_body_that_is_none_is_refused(api: Api, content: bytes) -> None:
    answer = api.call("POST", "/session/pin", data=content)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "query",
    ["count=0", "count=201", "count=x", "count=1e3", "count=" + "9" * 3000, "after=-1", "order=name", "every=perhaps",
     "count=1&count=2", "nonsense=1", "model=openai/unknown", "count=%ED%A0%80", "order=%ED%A0%80", "every=%ED%A0%80",
     "%ED%A0%80=1", "%ED%A0%80=1&%ED%A0%80=1"],
)  # fmt: skip
def test_queries_are_checked(api: Api, query: str) -> None:
    answer = api.call("GET", f"/sessions?{query}")

    assert answer.status_code == (404 if "unknown" in query else 400)
    assert len(answer.json()["error"]["message"]) < 300


@pytest.mark.parametrize("path", ["/session", "/session?id=", "/session?id=%00", "/session?tenant=t"])
def test_a_session_has_to_be_named(api: Api, path: str) -> None:
    assert api.call("GET", path).status_code == 400


def test_a_session_of_which_nothing_is_known_is_not_there(api: Api) -> None:
    answer = api.get("/session", id="<b>nobody</b>")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_session")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_model_is_drained_and_serves_again(api: Api) -> None:
    drained = api.post("/models/drain", model="a", now=True, why="new weights").json()
    listed = api.get("/models").json()["models"]
    ended = api.post("/models/undrain", model="a").json()

    assert (drained["name"], drained["state"], drained["drain"]["now"]) == ("openai/a", "drained", True)
    assert (drained["drain"]["who"], drained["drain"]["why"]) == ("ada", "new weights")
    assert [(model["name"], model["state"]) for model in listed] == [("openai/a", "drained"), ("openai/b", "serving")]
    assert ended["state"] == "serving"


def test_the_pool_shows_its_replicas(api: Api) -> None:
    state = api.get("/pool").json()

    assert set(state) == {"replicas", "workers", "queue"}


def test_a_session_with_markup_in_its_name_is_text_on_every_page(address: str, api: Api) -> None:
    api.post("/session/pin", id="<script>alert(1)</script>", tenant='"><b>x', model="a", why="<i>why")
    browser = Browser(address)
    browser.log_in(name="<u>eve")

    listed = browser.see("/admin/sessions?every=true").text
    link = listed.partition('href="/admin/session?')[2].partition('"')[0].replace("&amp;", "&")
    shown = browser.see(f"/admin/session?{link}")

    for text in (listed, shown.text):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert not any(tag in text for tag in ("<script>", "<b>", "<i>", "<u>"))
    assert shown.status_code == 200
    assert "&lt;i&gt;why" in shown.text


def test_a_session_whose_name_is_no_text_is_shown_with_a_question_mark(
    address: str, api: Api, store: redis.Redis
) -> None:
    """Whoever else writes to this Redis may have named it; it made every page that lists it a 500."""
    half = "%ED%A0%80"
    store.set(f"plano:affinity:{half}:{half}~{half}", PIN, ex=60)
    browser = Browser(address)
    browser.log_in()

    (row,) = api.get("/sessions", every="true").json()["sessions"]
    listed = browser.see("/admin/sessions?every=true")
    shown = browser.see(f"/admin/session?id={half}&tenant={half}&lane={half}")

    assert (row["id"], row["tenant"], row["lane"]) == ("?", "?", ["?"])
    assert (listed.status_code, shown.status_code) == (200, 200)
    assert "?~?</code>" in listed.text
    assert "?~?</code>" in shown.text
