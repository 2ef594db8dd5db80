"""Every setting of the program, read once from the environment; a wrong one gets one sentence."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ROOT = Path(__file__).resolve().parent
INSTANCE = ROOT / "instance"


class WrongSetting(SystemExit):
    """A setting cannot be used; the sentence says which one and what to write instead."""


@dataclass(frozen=True)
class Config:
    """The settings in force. Addresses have no trailing slash; rates are whole numbers."""

    database_url: str
    secret_key: str
    audit_key: str
    public_url: str
    timezone: ZoneInfo
    hosts: list[str]
    smtp_host: str
    smtp_port: int
    smtp_user: str
    smtp_password: str
    smtp_starttls: bool
    mail_from: str
    mail_rate_per_minute: int
    imap_host: str
    imap_port: int
    imap_user: str
    imap_password: str
    imap_folder: str
    instance: Path
    offline: bool
    backup_folder: Path
    backup_public_key: str
    backup_keep_hourly: int
    backup_keep_daily: int
    backup_keep_monthly: int
    metrics_token: str
    log_format: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Config":
        """Read and check the settings; `WrongSetting` stops the start."""
        env = os.environ if environment is None else environment
        instance = Path(env.get("INSTANCE_PATH") or INSTANCE)
        smtp_host = env.get("SMTP_HOST", "").strip()
        return cls(
            database_url=_database_url(env.get("DATABASE_URL", ""), instance),
            secret_key=env.get("SECRET_KEY", "").strip() or _kept_secret(instance),
            audit_key=_audit_key(env.get("AUDIT_KEY", "").strip()),
            public_url=_public_url(env),
            hosts=_hosts(env),
            timezone=_timezone(env.get("TIMEZONE", "").strip() or "Asia/Ho_Chi_Minh"),
            smtp_host=smtp_host,
            smtp_port=_whole_number(env, "SMTP_PORT", 587, 1, 65535),
            smtp_user=env.get("SMTP_USER", ""),
            smtp_password=env.get("SMTP_PASSWORD", ""),
            smtp_starttls=_yes_or_no(env, "SMTP_STARTTLS", default=True),
            mail_from=_mail_from(env.get("MAIL_FROM", "").strip(), needed=bool(smtp_host)),
            mail_rate_per_minute=_whole_number(env, "MAIL_RATE_PER_MINUTE", 600, 1, 100_000),
            imap_host=env.get("IMAP_HOST", "").strip(),
            imap_port=_whole_number(env, "IMAP_PORT", 993, 1, 65535),
            imap_user=env.get("IMAP_USER", ""),
            imap_password=env.get("IMAP_PASSWORD", ""),
            imap_folder=env.get("IMAP_FOLDER", "").strip() or "INBOX",
            instance=instance,
            offline=_yes_or_no(env, "OFFLINE_REGISTER", default=True),
            backup_folder=Path(env.get("BACKUP_FOLDER", "").strip() or instance / "backups"),
            backup_public_key=_public_key(env.get("BACKUP_PUBLIC_KEY", "").strip()),
            backup_keep_hourly=_whole_number(env, "BACKUP_KEEP_HOURLY", 24, 1, 1000),
            backup_keep_daily=_whole_number(env, "BACKUP_KEEP_DAILY", 30, 1, 1000),
            backup_keep_monthly=_whole_number(env, "BACKUP_KEEP_MONTHLY", 12, 1, 1000),
            metrics_token=env.get("METRICS_TOKEN", "").strip(),
            log_format=_one_of(env, "LOG_FORMAT", ("text", "json")),
        )


def _database_url(value: str, instance: Path) -> str:
    """`postgres://` and `postgresql://` mean psycopg; an SQLite path is relative to the project."""
    value = value.strip()
    if not value:
        instance.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{instance / 'tuyenhuan.db'}"
    scheme, separator, rest = value.partition("://")
    if scheme == "sqlite" and separator:
        path = rest.removeprefix("/")
        if not path:
            raise WrongSetting(
                "DATABASE_URL: thiếu đường dẫn tệp, ví dụ sqlite:///instance/tuyenhuan.db"
            )
        return f"sqlite:///{(ROOT / path)}"
    if scheme in ("postgres", "postgresql", "postgresql+psycopg") and rest:
        return f"postgresql+psycopg://{rest}"
    raise WrongSetting(
        f"DATABASE_URL: không hiểu {scheme or value!r}. "
        "Hãy viết sqlite:///đường/dẫn.db hoặc postgresql://người_dùng:mật_khẩu@máy/tên."
    )


def _kept_secret(instance: Path) -> str:
    """A secret made at the first start and kept beside the database, readable by its owner only."""
    file = instance / "secret_key"
    if not file.exists():
        instance.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
    return file.read_text().strip()


def _audit_key(value: str) -> str:
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise WrongSetting("AUDIT_KEY: cần 64 chữ số hệ 16, như lệnh flask audit key in ra.")
    return value


def _public_url(env: Mapping[str, str]) -> str:
    value = env.get("PUBLIC_URL", "").strip().rstrip("/")
    if not value:
        return f"http://{env.get('HOST') or '127.0.0.1'}:{env.get('PORT') or '5000'}"
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise WrongSetting(
            f"PUBLIC_URL: {value!r} không phải địa chỉ trang. Hãy viết như https://tuyenhuan.example.vn"
        )
    return value


def _hosts(env: Mapping[str, str]) -> list[str]:
    """The names the program answers to: that of PUBLIC_URL, this machine's own, and TRUSTED_HOSTS."""
    names = [urlsplit(_public_url(env)).hostname or "", "localhost", "127.0.0.1", "[::1]"]
    names.append(env.get("HOST", "").strip())
    names += [name.strip() for name in env.get("TRUSTED_HOSTS", "").split(",")]
    for name in names:
        if any(sign in name for sign in "/ @?#"):
            raise WrongSetting(
                f"TRUSTED_HOSTS: {name!r} không phải tên máy. Hãy viết như tuyenhuan.example.vn"
            )
    return [name for name in dict.fromkeys(names) if name and name != "0.0.0.0"]


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongSetting(
            f"TIMEZONE: không có múi giờ {name!r}. Hãy viết như Asia/Ho_Chi_Minh."
        ) from None


def _whole_number(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = env.get(name, "").strip()
    if not value:
        return default
    if not value.isdecimal() or not least <= int(value) <= most:
        raise WrongSetting(f"{name}: {value!r} phải là số nguyên từ {least} đến {most}.")
    return int(value)


def _yes_or_no(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if value in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return default if value == "" else value in ("1", "true", "yes", "on")
    raise WrongSetting(f"{name}: {value!r} không hiểu được. Hãy viết 1 (có) hoặc 0 (không).")


def _public_key(value: str) -> str:
    """An age public key, as `age-keygen` prints it; the library judges it when the program starts."""
    if value and not re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", value):
        raise WrongSetting(
            f"BACKUP_PUBLIC_KEY: {value!r} không phải khoá công khai. Hãy viết như age1… "
            "do lệnh flask backup keys in ra."
        )
    return value


def _one_of(env: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """One of the known words, the first when nothing is said."""
    value = env.get(name, "").strip().lower() or known[0]
    if value not in known:
        raise WrongSetting(f"{name}: {value!r} không hiểu được. Hãy viết {' hoặc '.join(known)}.")
    return value


def _mail_from(value: str, *, needed: bool) -> str:
    if not value and not needed:
        return "tuyenhuan@localhost"
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or any(sign in value for sign in "\r\n <>,;"):
        raise WrongSetting(
            f"MAIL_FROM: {value!r} không phải địa chỉ thư. Hãy viết như banxaydungdang@example.vn"
        )
    return value
