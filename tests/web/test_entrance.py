"""What is turned away at once: foreign hosts, writes begun elsewhere, forms without end."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Config, WrongSetting
from tests.world import build_world, signed_in

HOST = {"Host": "localhost"}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a@evil.example:80"])
def test_a_foreign_host_is_refused(client: FlaskClient, host: str) -> None:
    for path in ("/sign-in", "/healthz", "/feeds/x.ics", "/nothing"):
        assert client.get(path, headers={"Host": host}).status_code == 400, path


def test_the_hosts_are_those_of_the_settings() -> None:
    names = Config.from_environment(
        {"PUBLIC_URL": "https://a.example.vn", "TRUSTED_HOSTS": "b.example.vn", "SECRET_KEY": "x"}
    ).hosts
    assert {"a.example.vn", "b.example.vn", "localhost"} <= set(names)
    assert "evil.example" not in names
    with pytest.raises(WrongSetting):
        Config.from_environment({"TRUSTED_HOSTS": "https://b.example.vn", "SECRET_KEY": "x"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_a_write_begun_elsewhere_is_refused_even_with_the_pages_token(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    with app.app_context():
        signed_in(client, build_world().accounts["an"])
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    page = client.get("/me").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"name": "An Mới", "language": "vi", "csrf_token": token}
    assert client.post("/me", data=form, headers=HOST | headers).status_code == 400
    own = {"Sec-Fetch-Site": "same-origin"}
    assert client.post("/me", data=form, headers=HOST | own).status_code == 303


def test_a_form_without_end_is_refused(client: FlaskClient) -> None:
    many = "&".join(f"f{number}=" for number in range(30_000))
    answer = client.post("/sign-in", data=many, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    large = client.post("/sign-in", data={"email": "x" * 1_100_000})
    assert large.status_code == 413
