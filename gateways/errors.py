"""What is raised when the world outside fails."""


class GatewayError(Exception):
    """The world failed; the outbox decides by these marks whether and when to try again.

    `permanent`: trying again cannot help. `everyone`: the whole gateway is down, so this message
    is not to blame. `in_doubt`: the message may have been delivered, since the connection broke
    after its last byte. `bad_address`: the recipient does not exist. `greylisted`: come back in
    some minutes. `unavailable`: the connection broke, timed out or was closed on us; several of
    these in a row mean that the gateway is down.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool,
        everyone: bool = False,
        in_doubt: bool = False,
        bad_address: bool = False,
        greylisted: bool = False,
        unavailable: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.everyone = everyone
        self.in_doubt = in_doubt
        self.bad_address = bad_address
        self.greylisted = greylisted
        self.unavailable = unavailable
