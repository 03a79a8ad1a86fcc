"""An operator: by the API with the token, or in a browser with a login."""

import html
import re
from typing import Any

import requests

TOKEN = "operators-only"
API = "/admin/api/v1"
CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/a, base_url: "http://127.0.0.1:9/v1", default: true}
  - {model: openai/b, base_url: "http://127.0.0.1:9/v1"}
"""
_TIMEOUT_S = 30


class Api:
    """Calls the operator's API of one web process."""

    def __init__(self, address: str, token: str | None = TOKEN) -> None:
        self.address = address
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, /, **more: Any) -> requests.Response:
        """Any request; the path is below `/admin/api/v1`."""
        headers = self.headers | more.pop("headers", {})
        return requests.request(method, self.address + API + path, headers=headers, timeout=_TIMEOUT_S, **more)

    def get(self, path: str, **query: Any) -> requests.Response:
        """Ask something."""
        return self.call("GET", path, params=query)

    def post(self, path: str, **body: Any) -> requests.Response:
        """Do something."""
        return self.call("POST", path, json=body, headers={"X-Plano-Operator": "ada"})


class Browser:
    """Sees pages and sends their forms, as a browser without JavaScript does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def cookie(self) -> str:
        """The cookie of the login; empty: there is none."""
        return self._http.cookies.get("plano_admin", "") or ""

    def log_in(self, token: str = TOKEN, name: str = "ada", **headers: str) -> requests.Response:
        """Send the form of the login."""
        return self.send("/admin/login", {"token": token, "name": name}, **headers)

    def see(self, path: str) -> requests.Response:
        """A page; what it redirects to is not followed."""
        return self._http.get(self.address + path, allow_redirects=False, timeout=_TIMEOUT_S)

    def send(self, path: str, fields: dict[str, Any], **headers: str) -> requests.Response:
        """Send fields as a form does."""
        return self._http.post(
            self.address + path, data=fields, headers=headers, allow_redirects=False, timeout=_TIMEOUT_S
        )

    def press(self, page: str, action: str, **fields: str) -> requests.Response:
        """Fill in the first form of a page that has this action, and send it."""
        shown = self.see(page).text
        form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', shown, re.DOTALL)
        assert form, f"{page} has no form for {action}"
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        return self.send(action, {name: html.unescape(value) for name, value in hidden} | fields)
