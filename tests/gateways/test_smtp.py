"""Sending to real SMTP servers on loopback, well-behaved and not."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from aiosmtpd import smtp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from gateways.errors import GatewayError
from gateways.smtp import SmtpSettings, SmtpTransport

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
MAIL = b"From: a@x.example\r\nTo: b@x.example\r\nSubject: x\r\n\r\nxin chao\r\n.dot\r\n"


class Office:
    """A mail server that keeps what it takes and refuses by the recipient's name."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.connections: set[object] = set()

    async def handle_RCPT(  # noqa: N802  # the library's name
        self,
        server: smtp.SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        self.connections.add(session.peer)
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        if address.startswith("grey"):
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # the library's name
        self, server: smtp.SMTP, session: Session, envelope: Envelope
    ) -> str:
        if envelope.rcpt_tos[0].startswith("drop"):
            assert server.transport is not None
            server.transport.close()
        self.kept.append(bytes(envelope.original_content or b""))
        return "250 2.0.0 queued as 1"


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


@pytest.fixture
def office() -> Iterator[tuple[Office, SmtpSettings]]:
    handler = Office()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, SmtpSettings("127.0.0.1", port, starttls=False, reply_seconds=3)
    controller.stop()


def send(transport: SmtpTransport, recipient: str) -> tuple[str, list[str]]:
    steps: list[str] = []
    answer = transport.send("a@x.example", recipient, MAIL, lambda: steps.append("data"))
    return answer, steps


def test_many_messages_travel_on_one_connection(office: tuple[Office, SmtpSettings]) -> None:
    handler, settings = office
    transport = SmtpTransport(settings)
    for number in range(5):
        answer, steps = send(transport, f"b{number}@x.example")
        assert answer.startswith("250")
        assert steps == ["data"]
    transport.close()
    assert handler.kept == [MAIL] * 5
    assert len(handler.connections) == 1


def test_an_unknown_recipient_is_permanent_and_the_next_message_still_goes(
    office: tuple[Office, SmtpSettings],
) -> None:
    handler, settings = office
    transport = SmtpTransport(settings)
    with pytest.raises(GatewayError) as refused:
        send(transport, "nobody@x.example")
    assert refused.value.permanent
    assert refused.value.bad_address
    assert not refused.value.in_doubt
    with pytest.raises(GatewayError) as later:
        send(transport, "grey@x.example")
    assert not later.value.permanent
    assert not later.value.everyone
    send(transport, "b@x.example")
    transport.close()
    assert len(handler.connections) == 1
    assert handler.kept == [MAIL]


def test_a_connection_lost_after_the_last_byte_leaves_delivery_in_doubt(
    office: tuple[Office, SmtpSettings],
) -> None:
    _, settings = office
    transport = SmtpTransport(settings)
    with pytest.raises(GatewayError) as lost:
        send(transport, "drop@x.example")
    assert lost.value.in_doubt
    assert not lost.value.permanent
    assert send(transport, "b@x.example")[0].startswith("250")
    transport.close()


def test_a_server_that_is_not_there_is_everyones_trouble() -> None:
    nowhere = SmtpSettings("127.0.0.1", free_port(), starttls=False)
    with pytest.raises(GatewayError) as down:
        send(SmtpTransport(nowhere), "b@x.example")
    assert down.value.everyone
    assert not down.value.permanent


def test_a_server_that_drips_is_cut_at_the_deadline() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listener.accept()
        try:
            client.sendall(b"220 hello\r\n")
            client.recv(1000)
            while True:
                client.sendall(b"250-x\r\n")
                time.sleep(0.05)
        except OSError:
            client.close()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    settings = replace(SmtpSettings("127.0.0.1", port, starttls=False), deadline_seconds=0.6)
    begun = time.monotonic()
    with pytest.raises(GatewayError) as cut:
        send(SmtpTransport(settings), "b@x.example")
    assert cut.value.everyone
    assert time.monotonic() - begun < 3
    thread.join(3)
    listener.close()
