"""A browser in thirty lines: keeps its cookies, finds a page's token, and says what came back."""

import http.client
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
FORM = "application/x-www-form-urlencoded"


@dataclass
class Answer:
    """A status, the headers in small letters, and the text."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def token(self) -> str:
        """The page's own token against forgery."""
        found = TOKEN.search(self.text)
        return found[1] if found else ""


@dataclass
class Visitor:
    """One browser at one address, with cookies of its own."""

    port: int
    address: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        """Fetch a page."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        """Send a form; the token must stand in it."""
        return self._ask("POST", path, urlencode(form), {"Content-Type": FORM} | headers)

    def sign_in(self, link: str) -> Answer:
        """Use a one-time link as a person does: open the page, press its button."""
        path = "/sign-in/" + link.rpartition("/")[2]
        return self.post(path, {"csrf_token": self.get(path).token})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(
                method,
                path,
                body,
                {"Cookie": cookie, "X-Forwarded-For": self.address} | shown,
            )
            got = connection.getresponse()
            text = got.read().decode("utf-8", "replace")
        finally:
            connection.close()
        for name, value in got.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, text)
