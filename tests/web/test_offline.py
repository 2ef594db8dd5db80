"""The service worker, the manifest and the list of kept registers, as a browser asks for them."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import ROOT
from web import offline


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_the_worker_may_look_after_every_address_and_is_never_kept_stale(client):
    answer = client.get("/sw.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Service-Worker-Allowed"] == "/"
    assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]


def test_every_file_the_worker_keeps_is_there(client):
    text = client.get("/sw.js").get_data(as_text=True)
    line = next(line for line in text.splitlines() if "files:" in line)
    files = json.loads(line.split("files:")[1].rstrip(",").strip())
    assert len(files) > 20
    for address in files:
        assert not address.endswith("v=0")
        with client.get(address) as answer:
            assert answer.status_code == 200


def test_every_module_of_the_register_is_kept(client):
    folder = ROOT / "static" / "js" / "attendance"
    modules = {f"attendance/{file.stem}" for file in folder.glob("*.js")} - {"attendance/worker"}
    assert modules <= set(offline.SCRIPTS)


def test_the_worker_can_be_switched_off_without_touching_what_waits(app, client, monkeypatch):
    settings = app.config["SETTINGS"]
    monkeypatch.setitem(
        app.config, "SETTINGS", type(settings)(**vars(settings) | {"offline": False})
    )
    text = client.get("/sw.js").get_data(as_text=True)
    assert "unregister" in text
    assert "indexedDB" not in text


def test_the_list_of_kept_registers_names_nobody_and_needs_no_sign_in(client):
    answer = client.get("/attendance/offline")
    assert answer.status_code == 200
    assert 'data-module="saved"' in answer.get_data(as_text=True)


def test_the_program_can_be_put_on_a_home_screen():
    manifest = json.loads((ROOT / "static" / "manifest.webmanifest").read_text(encoding="utf-8"))
    assert manifest["start_url"] == manifest["id"] == "/attendance/"
    assert (manifest["scope"], manifest["display"]) == ("/", "standalone")
    sizes = {icon["sizes"] for icon in manifest["icons"]}
    assert {"192x192", "512x512"} <= sizes
    assert any("maskable" in icon["purpose"] for icon in manifest["icons"])
    for icon in manifest["icons"]:
        picture = (ROOT / "static" / icon["src"]).read_bytes()
        if icon["type"] == "image/png":
            width = int.from_bytes(picture[16:20])
            assert icon["sizes"] == f"{width}x{width}"


def test_what_works_without_an_import_map_imports_nothing():
    for name in ("store", "delivery", "worker"):
        text = Path(ROOT / "static" / "js" / "attendance" / f"{name}.js").read_text(
            encoding="utf-8"
        )
        assert not any(line.startswith("import ") for line in text.splitlines())
