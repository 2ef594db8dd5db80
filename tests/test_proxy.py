"""The operator's page and its proxy: real nginx with the page's own lines before the page's own service."""

import getpass
import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.programs import needs
from tests.test_operating import ROOT, blocks, command_of, free_port, units, wait_for

HOST = "tuyenhuan.example.vn"
# A user's path often leaves out the folders of the system's programs.
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.slow
AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/start.log;
events {{ }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {block}
}}
"""


class Site:
    """The program behind its proxy; `ask` opens a connection of its own each time."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str]) -> None:
        self.folder, self.port, self.environment = folder, port, environment

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[http.client.HTTPResponse, str]:
        trusting = ssl.create_default_context(cafile=str(self.folder / "site.pem"))
        trusting.check_hostname = False
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=trusting, timeout=60
        )
        sent = {"Host": HOST} | {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, body or None, sent)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer, text

    def flask(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def logs(self) -> str:
        return "".join(file.read_text() for file in self.folder.glob("*.log"))


def proxy_lines(folder: Path, port: int, behind: str) -> str:
    """nginx's whole configuration: the page's block with its places turned into ours."""
    block = blocks("nginx")[0]
    for theirs, ours in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/tuyenhuan.pem", f"{folder}/site.pem"),
        ("/etc/ssl/tuyenhuan.key", f"{folder}/site.key"),
        ("/var/log/nginx/", f"{folder}/"),
        ("http://127.0.0.1:5000;", f"http://127.0.0.1:{behind};"),
    ):
        assert theirs in block, f"the page no longer says {theirs}"
        block = block.replace(theirs, ours)
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    return AROUND.format(user=user, folder=folder, block=block)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs(NGINX, "nginx")
    folder = tmp_path_factory.mktemp("proxy")
    port, behind = int(free_port()), free_port()
    environment = {name: text for name, text in os.environ.items() if "SMTP_" not in name}
    environment |= {
        "INSTANCE_PATH": str(folder / "instance"),
        "PUBLIC_URL": f"https://{HOST}",
        "FLASK_APP": "app.py",
        "LOG_FORMAT": "json",
    }
    site = Site(folder, port, environment)
    site.flask("db", "upgrade")
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST}".split()
    places = ("-keyout", folder / "site.key", "-out", folder / "site.pem")
    subprocess.run([*made, *places], check=True, capture_output=True)
    (folder / "nginx.conf").write_text(proxy_lines(folder, port, behind))
    command = command_of(units()["pages"]["Service"]["ExecStart"])
    with (folder / "program.log").open("wb") as words:
        running = [
            subprocess.Popen(
                [behind if word == "5000" else word for word in command],
                cwd=ROOT,
                env=environment,
                stdout=words,
                stderr=words,
            ),
            subprocess.Popen([str(NGINX), "-p", folder, "-c", folder / "nginx.conf"], stderr=words),
        ]
    try:
        wait_for(f"http://127.0.0.1:{behind}/healthz")
        yield site
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(60)


def test_pages_come_over_tls_and_sign_ins_are_bound_to_the_host(site: Site) -> None:
    answer, page = site.ask("GET", "/sign-in")
    assert answer.status == 200
    assert "Đăng nhập" in page
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_figures_are_not_shown_to_the_world_and_foreign_names_are_refused(site: Site) -> None:
    assert site.ask("GET", "/metrics")[0].status == 404
    for path in ("/sign-in", "/healthz"):
        answer, text = site.ask("GET", path, X_Forwarded_Host="evil.example", X_Host="evil.example")
        assert "evil.example" not in text + str(answer.headers)
    answer, _text = site.ask("GET", "/sign-in", Host="evil.example")
    assert answer.status == 400


def test_a_made_up_forwarded_address_helps_nobody(site: Site) -> None:
    """Thirty links asked for from one place, each time under another made-up address."""
    answer, page = site.ask("GET", "/sign-in")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    statuses = []
    for number in range(30):
        form = {"email": f"ai{number}@test.invalid", "csrf_token": token[1]}
        answer, _text = site.ask(
            "POST",
            "/sign-in/links",
            urllib.parse.urlencode(form).encode(),
            Cookie=cookie,
            Content_Type="application/x-www-form-urlencoded",
            Origin=f"https://{HOST}",
            X_Forwarded_For=f"203.0.113.{number}",
        )
        statuses.append(answer.status)
    assert statuses[0] in (200, 303)
    assert statuses[-1] == 429, statuses


def test_no_secret_stays_in_a_log(site: Site) -> None:
    """The feed's, the member's and the sign-in's secret, asked for in good and in broken ways."""
    url = site.flask("account", "create", "chu@test.invalid", "--role", "admin").split()[-1]
    secret = url.rpartition("/")[2]
    places = ("sign-in", "feeds", "my-data", "subscriptions", "attendance/link", "reminders")
    for place in places:
        for ending in ("", ".ics", "?x=1", "/broken", "%0aX"):
            site.ask("GET", f"/{place}/{secret}{ending}", Referer=f"https://{HOST}/feeds/{secret}")
    assert site.ask("GET", f"/sign-in/{secret}")[0].status == 200
    time.sleep(0.5)  # both write their lines after the answer
    logs = site.logs()
    assert "/sign-in/..." in logs
    assert secret not in logs


def test_bodies_that_are_too_large_end_at_the_proxy(site: Site) -> None:
    answer, _text = site.ask("POST", "/sign-in", Content_Length=str(10**9))
    assert answer.status == 413
