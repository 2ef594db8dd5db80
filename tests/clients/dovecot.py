"""A real IMAP server on loopback, run as whoever runs the tests, with one mailbox in a folder."""

import grp
import mailbox
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

USER, PASSWORD = "lich", "only-for-tests"
STARTING_SECONDS = 15.0
SETTINGS = """
base_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
AS_ONESELF = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
"""


def program() -> str | None:
    """Where the server is, if it is installed."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


class Dovecot:
    """One server with one mailbox; `deliver` puts a mail into it as a mail server would."""

    def __init__(self) -> None:
        found = program()
        assert found is not None
        # Not pytest's folder: as root the server reads mail as another user, who may not enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot"))
        self.port = free_port()
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self._owner = owner
        mailbox.Maildir(self.folder / "mail", factory=None, create=True)
        self._delivered = 0
        self._give_to_owner()
        settings = self.folder / "dovecot.conf"
        settings.write_text(self._settings(), encoding="utf-8")
        self._process = subprocess.Popen([found, "-F", "-c", str(settings)])
        self._wait()

    def deliver(self, content: bytes) -> None:
        """Put a mail where the server looks, once it is whole and the server may read it."""
        self._delivered += 1
        name = f"{time.time_ns()}.{self._delivered}.test"
        written = self.folder / "mail" / "tmp" / name
        written.write_bytes(content)
        if os.geteuid() == 0:
            os.chown(written, self._owner.pw_uid, self._owner.pw_gid)
        written.rename(self.folder / "mail" / "new" / name)

    def unread(self) -> int:
        """How many mails carry no Seen mark in the mailbox's own files."""
        folder = self.folder / "mail"
        names = [path.name for part in ("new", "cur") for path in (folder / part).iterdir()]
        return sum("S" not in name.partition(":2,")[2] for name in names)

    def kept(self) -> int:
        folder = self.folder / "mail"
        return sum(1 for part in ("new", "cur") for _ in (folder / part).iterdir())

    def stop(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _settings(self) -> str:
        owner = self._owner
        text = SETTINGS.format(
            folder=self.folder,
            port=self.port,
            password=PASSWORD,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
        )
        if os.geteuid() == 0:
            return text
        group = grp.getgrgid(owner.pw_gid).gr_name
        return text + AS_ONESELF.format(user=owner.pw_name, group=group)

    def _give_to_owner(self) -> None:
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            for path in (self.folder / "mail", *(self.folder / "mail").rglob("*")):
                with suppress(FileNotFoundError):
                    os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _wait(self) -> None:
        ends = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < ends:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
                if one.recv(4) == b"* OK":
                    return
            time.sleep(0.05)
        log = self.folder / "log"
        raise RuntimeError(log.read_text() if log.exists() else "dovecot did not start")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
