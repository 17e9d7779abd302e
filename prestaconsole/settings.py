"""Every setting: name, meaning, default. Read from PRESTACONSOLE_* or a settings file. Imports errors, redaction."""

import getpass
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from prestaconsole.errors import UsageError
from prestaconsole.redaction import Secret

PREFIX = "PRESTACONSOLE_"
FILE_VARIABLE = "PRESTACONSOLE_SETTINGS"
_TELLING_PATH = re.compile(r"://[^/]+/((?=[^?#]*\d)[^?#]{16,})")


class Settings(BaseSettings):
    """All settings of one process. Each field's description is its line in ``settings.example.env``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("prestaconsole")),
        description="Folder of the embedded database, the vault's key file, images and logs.",
    )
    database_url: str = Field(
        default="",
        description="Another database, for example postgresql://user@host/name. Empty: SQLite in the data folder.",
    )
    actor: str = Field(default="", description="Who acts, for the audit. Empty: the SSH or operating-system user.")
    vault_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key-encryption key, 32 bytes as base64. Empty: the file vault.key in the data folder.",
    )
    vault_key_file: Path | None = Field(
        default=None, description="Another place for the vault's key file (mode 0600, made at first use)."
    )
    read_only: bool = Field(default=False, description="Hold the console read-only: nothing can be changed in it.")
    mouse: bool = Field(default=True, description="Let the mouse move the cursor in the console.")
    log_level: str = Field(default="info", description="Log level of the daemon: debug, info, warning or error.")
    heartbeat_seconds: float = Field(default=5.0, gt=0, description="Seconds between a runner's signs of life.")
    stale_seconds: float = Field(default=15.0, gt=0, description="Seconds without one until its runs are taken over.")
    poll_seconds: float = Field(default=0.25, gt=0, description="Seconds between looks at the queue of runs.")
    slots_per_shop: int = Field(default=2, ge=1, le=8, description="Runs of one shop that may be at work at once.")
    request_timeout: float = Field(default=30.0, gt=0, description="Seconds to wait for an answer to a read.")
    write_timeout: float = Field(default=60.0, gt=0, description="Seconds to wait for an answer to a write.")
    ping_url: str = Field(
        default="",
        description="Address asked for each minute while the daemon works; who waits for it raises the alarm.",
    )
    alert_webhook_url: SecretStr = Field(
        default=SecretStr(""),
        description="Address that gets each alert as JSON, with a text that Slack, Mattermost and the like show.",
    )
    alert_mail_to: str = Field(
        default="", description="Who gets each alert by mail; several with commas. Empty: nobody."
    )
    alert_mail_from: str = Field(default="", description="Sender of these mails. Empty: the first of who gets them.")
    alert_severity: Literal["STOP", "ACT", "LATE", "WARN"] = Field(
        default="LATE", description="The least severity that is told: STOP, ACT, LATE or WARN, the gravest first."
    )
    alert_reminder_hours: float = Field(
        default=24.0, ge=0, description="Hours until an open incident that nobody snoozed is told again; 0 is never."
    )
    smtp_host: str = Field(default="localhost", description="Mail server for alerts.")
    smtp_port: int = Field(default=0, ge=0, le=65535, description="Its port; 0 is 587, 465 or 25, by its security.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How mail goes to it: starttls, tls from the first byte, or none."
    )
    smtp_user: str = Field(default="", description="User at the mail server. Empty: no login.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password of this user.")
    keep_logs_days: int = Field(default=30, ge=0, description="Days the logs of ended runs are kept; 0: for ever.")
    keep_runs_days: int = Field(default=180, ge=0, description="Days ended runs are kept; 0: for ever.")
    keep_changes_days: int = Field(
        default=90, ge=0, description="Days the rows of a finished plan are kept, to undo it; 0: for ever."
    )
    keep_movements_days: int = Field(
        default=730, ge=0, description="Days until stock movements are folded into one for each product; 0: never."
    )
    keep_loads_days: int = Field(
        default=180, ge=0, description="Days the notes on stock files and their error files are kept; 0: for ever."
    )
    keep_evidence_days: int = Field(
        default=180, ge=0, description="Days the evidence of closed incidents is kept; 0: for ever."
    )
    prune_at: str = Field(
        default="03:30",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="When what is kept no longer goes each night, by the clock of the machine; empty: never by itself.",
    )
    daemon_host: str = Field(default="127.0.0.1", description="Address of the daemon's health and metrics page.")
    daemon_port: int = Field(default=8765, ge=0, le=65535, description="Its port; 0 switches the page off.")

    def model_post_init(self, context: Any, /) -> None:
        """Make the secrets among the settings known to redaction, for as long as the settings live."""
        _ = self.secrets

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """Whatever must stand in no text: addresses that are passwords in themselves, and their paths; passwords."""
        addresses = [self.alert_webhook_url.get_secret_value(), self.ping_url]
        # A path of plain words is no secret, and masking it would mask those words everywhere.
        paths = [found.group(1) for address in addresses if (found := _TELLING_PATH.search(address))]
        texts = [*addresses, *paths, self.smtp_password.get_secret_value()]
        return tuple(Secret(text) for text in texts if text)

    @cached_property
    def url(self) -> str:
        """The database URL as SQLAlchemy takes it; plain ``postgresql://`` means psycopg 3."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'prestaconsole.sqlite3'}"
        for short in ("postgresql://", "postgres://"):
            if self.database_url.startswith(short):
                return "postgresql+psycopg://" + self.database_url.removeprefix(short)
        return self.database_url

    @cached_property
    def who(self) -> str:
        """The name that stands in the audit for what this process does for a person."""
        return self.actor or os.environ.get("SUDO_USER") or _system_user()

    @cached_property
    def key_file(self) -> Path:
        """Where the vault's key-encryption key lives when no setting holds it."""
        return self.vault_key_file or self.data_dir / "vault.key"


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def settings_file() -> Path:
    """The settings file: named by PRESTACONSOLE_SETTINGS, else ``settings.env`` in the user's configuration folder."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_config_dir("prestaconsole")) / "settings.env"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; the environment wins over the file, ``overrides`` over both.

    Raises ``UsageError`` when the named file is absent or unreadable, or a value has the wrong form.
    """
    path = settings_file()
    try:
        if path.exists():
            path.read_text(encoding="utf-8")
        elif FILE_VARIABLE in os.environ:
            raise UsageError(
                f"The settings file {path} does not exist.",
                f"Make it (settings.example.env shows every line), or unset {FILE_VARIABLE}.",
            )
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"The settings file {path} cannot be read: {why}.", "Mend its rights or its text; nothing was changed."
        ) from None
    try:
        return Settings(_env_file=path, **overrides)
    except ValidationError as error:
        raise UsageError(*_explain(error, path)) from None


def _explain(error: ValidationError, path: Path) -> tuple[str, str]:
    """Name each bad setting without its value, which may be a secret."""
    parts = []
    for problem in error.errors(include_input=False, include_url=False):
        field = ".".join(str(part) for part in problem["loc"])
        name = field.upper() if field.upper().startswith(PREFIX) else PREFIX + field.upper()
        unknown = problem["type"] == "extra_forbidden"
        parts.append(f"{name} is no setting" if unknown else f"{name}: {problem['msg'].lower()}")
    return (
        f"The settings are not usable: {'; '.join(parts)}.",
        f"Mend them in the environment or in {path}; settings.example.env shows every line.",
    )


def example() -> str:
    """The text of ``settings.example.env``: every setting with its meaning and default, commented out."""
    lines = [
        "# Settings of PrestaConsole. Every line is optional; what is set in the environment wins.",
        f"# The file is read from {FILE_VARIABLE}, else from settings.env in the user's configuration folder.",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory is not None or field.default is None else field.default
        if isinstance(default, SecretStr):
            default = ""
        if isinstance(default, bool):
            default = str(default).lower()
        lines += ["", f"# {field.description}", f"#{PREFIX}{name.upper()}={default}"]
    return "\n".join(lines) + "\n"
