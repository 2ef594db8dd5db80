"""What one run found: how much was promised, what became of it, and which promises were broken."""

from dataclasses import asdict, dataclass, field


@dataclass
class Outcome:
    """The figures of a run; `broken` holds one sentence for each promise that was not kept.

    `lost`: promised, not delivered and not visibly held, dead or dropped. `duplicated`: copies
    beyond the first, summed. `recovery_seconds`: the longest time until work went on after a fault.
    """

    promised: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    max_copies: int = 0
    in_doubt: int = 0
    recovery_seconds: float | None = None
    figures: dict[str, object] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def require(self, holds: bool, promise: str) -> None:
        """Note a promise as broken unless it holds."""
        if not holds:
            self.broken.append(promise)

    def as_json(self) -> dict[str, object]:
        """Everything, ready to be printed as one object."""
        return {"kept": not self.broken} | asdict(self)
