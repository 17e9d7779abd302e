"""Settings: each has a line in the example file, and bad ones are named without their value."""

from pathlib import Path

import pytest

from prestaconsole.errors import UsageError
from prestaconsole.settings import Settings, example, load_settings

ROOT = Path(__file__).parents[1]


def test_the_example_file_is_what_the_settings_say() -> None:
    assert (ROOT / "settings.example.env").read_text(encoding="utf-8") == example()
    assert all(f"PRESTACONSOLE_{name.upper()}=" in example() for name in Settings.model_fields)


def test_the_example_file_itself_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.env"
    lines = [line.removeprefix("#") if line.startswith("#PRESTACONSOLE_") else line for line in example().splitlines()]
    file.write_text("\n".join(line for line in lines if not line.endswith("=")))
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(file))
    assert load_settings() == Settings(**{name: getattr(load_settings(), name) for name in Settings.model_fields})


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.env"
    file.write_text("PRESTACONSOLE_ACTOR=file\nPRESTACONSOLE_DAEMON_PORT=9999\n")
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(file))
    monkeypatch.setenv("PRESTACONSOLE_ACTOR", "environment")
    settings = load_settings()
    assert (settings.actor, settings.daemon_port) == ("environment", 9999)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PRESTACONSOLE_DAEMON_PORT=often", "PRESTACONSOLE_DAEMON_PORT"),
        ("PRESTACONSOLE_HEARTBEAT_SECONDS=0", "PRESTACONSOLE_HEARTBEAT_SECONDS"),
        ("PRESTACONSOLE_DEAMON_PORT=1", "PRESTACONSOLE_DEAMON_PORT is no setting"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    file = tmp_path / "settings.env"
    file.write_text(text + "\n")
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(file))
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert words in caught.value.cause
    assert str(file) in caught.value.remedy


def test_an_absent_or_unreadable_file_is_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(tmp_path / "nowhere.env"))
    with pytest.raises(UsageError, match="does not exist"):
        load_settings()
    binary = tmp_path / "binary.env"
    binary.write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(binary))
    with pytest.raises(UsageError, match="not UTF-8"):
        load_settings()
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings()


def test_a_secret_setting_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTACONSOLE_VAULT_KEY", "c2VjcmV0")
    assert "c2VjcmV0" not in repr(load_settings())
