"""Thunderbird without a screen, driven over its own remote protocol (Marionette), on loopback."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tests.clients.dovecot import PASSWORD, USER, free_port
from tests.clients.readers import Told

STARTING_SECONDS = 60.0
PATIENCE = 60.0
SCRIPTS = Path(__file__).with_name("thunderbird.js")
SETTINGS: Mapping[str, object] = {
    "app.update.enabled": False,
    "calendar.alarms.show": False,
    "calendar.itip.newInvitationDisplay": False,
    "calendar.timezone.local": "Asia/Ho_Chi_Minh",
    "calendar.timezone.useSystemTimezone": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.biff.show_alert": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "network.proxy.type": 0,
    "extensions.update.enabled": False,
}


def program() -> str | None:
    """Where Thunderbird is, if it is installed."""
    return shutil.which("thunderbird")


class Thunderbird:
    """One running Thunderbird with a profile of its own, and the few things a test does in it."""

    def __init__(self, settings: Mapping[str, object] = {}) -> None:
        found = program()
        assert found is not None
        self.folder = Path(tempfile.mkdtemp(prefix="thunderbird"))
        port = free_port()
        chosen = {**SETTINGS, "marionette.port": port, **settings}
        lines = [f"user_pref({json.dumps(key)}, {json.dumps(one)});" for key, one in chosen.items()]
        (self.folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    found, "--headless", "--no-remote", "--profile", str(self.folder),
                    "--marionette", "--remote-allow-system-access",
                ],
                env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                stdout=log,
                stderr=log,
            )  # fmt: skip
        self._number = 0
        self._opened: list[socket.socket | BinaryIO] = []
        try:
            self._connect(port)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for opened in self._opened:
            opened.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(15)
        shutil.rmtree(self.folder, ignore_errors=True)

    def subscribe(self, url: str) -> None:
        """Subscribe as the dialog does, with the offline copy it offers."""
        self._calendar = str(self.run("return subscribe(args[0]);", url))

    def open_own_calendar(self) -> None:
        """Make a calendar of one's own, which invitations are put into."""
        self._calendar = str(self.run("return home();"))

    def refresh(self) -> None:
        self.run("return refresh(args[0]);", self._calendar)

    def kept(self) -> list[Told]:
        """Every event that the calendar holds now."""
        return sorted(Told(**one) for one in self.run("return kept(args[0]);", self._calendar))

    def is_disabled(self) -> bool:
        """Whether it has switched the subscription off."""
        return bool(self.run("return isDisabled(args[0]);", self._calendar))

    def read(self, content: bytes) -> list[Told]:
        """The events of a file, as its own reader takes them in."""
        return sorted(Told(**one) for one in self.run("return read(args[0]);", content.decode()))

    def mails(self) -> int:
        """Fetch what is new in the mailbox; gives how many mails lie there."""
        return int(self.run("return mails();"))

    def open_mail(self, number: int) -> dict[str, Any]:
        """Show the mail of that number; gives what the invitation's bar says and offers."""
        shown: dict[str, Any] = self.run("return openMail(args[0]);", number)
        return shown

    def press(self, button: str) -> None:
        """Press one button of the invitation's bar."""
        self.run("return press(args[0]);", button)

    def until(self, holds: Callable[[], bool]) -> bool:
        """Wait until that holds, at most `PATIENCE` seconds; says whether it does."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            if holds():
                return True
            time.sleep(0.2)
        return False

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script with the program's own rights; its promise is waited for."""
        whole = (
            SCRIPTS.read_text(encoding="utf-8")
            + "\nconst args = Array.from(arguments); const done = args.pop();\n"
            + f"(async () => {{ {script} }})().then(done, (error) => done({{failed: `${{error}} "
            + "${error.stack ?? ''}`}));"
        )
        answer = self._call(
            "WebDriver:ExecuteAsyncScript",
            {"script": whole, "args": list(arguments)},
        )["value"]
        if isinstance(answer, dict) and "failed" in answer:
            raise AssertionError(f"Thunderbird: {answer['failed']}")
        return answer

    def _connect(self, port: int) -> None:
        ends = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < ends:
            with suppress(OSError):
                self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE * 3)
                break
            time.sleep(0.2)
        else:
            raise RuntimeError((self.folder / "log").read_text(errors="replace"))
        self._file = self._socket.makefile("rb")
        self._opened = [self._file, self._socket]
        self._receive()
        self._call("WebDriver:NewSession", {})
        self._call("WebDriver:SetTimeouts", {"script": int(PATIENCE * 2000)})
        self._call("Marionette:SetContext", {"value": "chrome"})
        assert self.until(lambda: bool(self.run("return isReady();")))

    def _call(self, name: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        self._number += 1
        body = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(body), body))
        _, _, error, result = self._receive()
        if error:
            raise AssertionError(f"Thunderbird: {error['message']} {error.get('stacktrace', '')}")
        found: dict[str, Any] = result
        return found

    def _receive(self) -> Any:
        size = b""
        while (one := self._file.read(1)) != b":":
            if not one:
                raise RuntimeError((self.folder / "log").read_text(errors="replace"))
            size += one
        return json.loads(self._file.read(int(size)))


def mail_account(address: str, name: str, imap_port: int, smtp_port: int) -> dict[str, object]:
    """The settings of one account: mail by IMAP, answers by SMTP, nothing encrypted on loopback."""
    server, outgoing, identity = "mail.server.server1", "mail.smtpserver.smtp1", "mail.identity.id1"
    return {
        "mail.accountmanager.accounts": "account1,account2",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.accountmanager.localfoldersserver": "server2",
        "mail.account.account1.identities": "id1",
        "mail.account.account1.server": "server1",
        "mail.account.account2.server": "server2",
        "mail.server.server2.type": "none",
        "mail.server.server2.userName": "nobody",
        "mail.server.server2.hostname": "Local Folders",
        f"{server}.type": "imap",
        f"{server}.hostname": "127.0.0.1",
        f"{server}.port": imap_port,
        f"{server}.userName": USER,
        f"{server}.name": address,
        f"{server}.authMethod": 3,
        f"{server}.socketType": 0,
        f"{server}.login_at_startup": False,
        f"{server}.check_new_mail": False,
        f"{identity}.useremail": address,
        f"{identity}.fullName": name,
        f"{identity}.valid": True,
        f"{identity}.smtpServer": "smtp1",
        f"{identity}.fcc": False,
        "mail.smtpservers": "smtp1",
        "mail.smtp.defaultserver": "smtp1",
        f"{outgoing}.hostname": "127.0.0.1",
        f"{outgoing}.port": smtp_port,
        f"{outgoing}.authMethod": 1,
        f"{outgoing}.try_ssl": 0,
        f"{outgoing}.type": "smtp",
        "tests.password": PASSWORD,
    }
