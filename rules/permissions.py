"""Who somebody is to the program: the roles they hold and over which units."""

from dataclasses import dataclass, field

ROLES = ("admin", "staff", "instructor", "reader")


@dataclass(frozen=True)
class Grant:
    """A role over a unit and everything below it; no unit means the whole organisation."""

    role: str
    unit_id: int | None = None


@dataclass(frozen=True)
class Actor:
    """Who is acting: a signed-in account, a meeting's link, or the program itself.

    A meeting's link has `meeting_id` and no grants: it reaches that one register and nothing else;
    `can_submit` tells the instructor's link from a helper's.
    """

    name: str
    account_id: int | None = None
    grants: tuple[Grant, ...] = field(default=())
    meeting_id: int | None = None
    link_id: int | None = None
    can_submit: bool = True
    language: str = "vi"

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(grant.role for grant in self.grants)

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    def has_any(self, *roles: str) -> bool:
        """Whether the actor holds one of the roles somewhere; an administrator holds all."""
        return self.is_admin or not self.roles.isdisjoint(roles)


SYSTEM = Actor(name="Hệ thống", grants=(Grant("admin"),))
