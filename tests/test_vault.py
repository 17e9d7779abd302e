"""The vault: what is sealed for one shop opens for it alone, and only with the key that is not in the database."""

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestaconsole.redaction import Secret
from prestaconsole.settings import Settings
from prestaconsole.vault import Sealed, Vault, VaultError, new_key, open_vault

KEY = bytes(range(32))
NAME = "webservice_key"


def vault() -> Vault:
    return Vault(KEY)


@given(st.text(max_size=200), st.integers(1, 2**31))
def test_what_was_sealed_opens_again(text: str, shop_id: int) -> None:
    sealed = vault().seal(Secret(text), shop_id=shop_id, name=NAME)
    assert vault().open(sealed, shop_id=shop_id, name=NAME).reveal() == text


def test_two_swapped_rows_do_not_open() -> None:
    sealed = vault().seal(Secret("one"), shop_id=1, name=NAME)
    for shop_id, name in ((2, NAME), (1, "other")):
        with pytest.raises(VaultError, match="changed or swapped"):
            vault().open(sealed, shop_id=shop_id, name=name)


def test_a_changed_byte_does_not_open() -> None:
    sealed = vault().seal(Secret("one"), shop_id=1, name=NAME)
    for field in ("nonce", "ciphertext"):
        parts = {"wrapped_with": sealed.wrapped_with, "nonce": sealed.nonce, "ciphertext": sealed.ciphertext}
        parts[field] = bytes([parts[field][0] ^ 1]) + parts[field][1:]  # type: ignore[index, operator]  # both are bytes
        with pytest.raises(VaultError):
            vault().open(Sealed(**parts), shop_id=1, name=NAME)  # type: ignore[arg-type]  # as above


def test_each_sealing_has_a_nonce_of_its_own() -> None:
    nonces = {vault().seal(Secret("one"), shop_id=1, name=NAME).nonce for _ in range(200)}
    assert len(nonces) == 200


def test_another_key_says_so_and_rewrapping_moves_to_it() -> None:
    old, new = vault(), Vault(bytes(32))
    sealed = old.seal(Secret("one"), shop_id=1, name=NAME)
    with pytest.raises(VaultError, match="another vault key"):
        new.open(sealed, shop_id=1, name=NAME)
    moved = old.rewrap(sealed, new, shop_id=1, name=NAME)
    assert new.open(moved, shop_id=1, name=NAME).reveal() == "one"


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    first = open_vault(settings)
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert open_vault(settings).key_print == first.key_print


def test_two_first_starts_at_once_end_with_one_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    prints: list[str] = []
    threads = [threading.Thread(target=lambda: prints.append(open_vault(settings).key_print)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(prints) == 8
    assert len(set(prints)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["vault.key"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    open_vault(settings)
    settings.key_file.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        open_vault(settings)


def test_a_key_that_systemd_hands_over_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    made = open_vault(settings).key_print
    settings.key_file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "other"))
    with pytest.raises(VaultError):
        open_vault(settings)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert open_vault(settings).key_print == made


@pytest.mark.parametrize("text", ["", "not base64!", "c2hvcnQ="])
def test_a_damaged_key_file_is_named(tmp_path: Path, text: str) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.key_file.write_text(text)
    settings.key_file.chmod(0o600)
    with pytest.raises(VaultError):
        open_vault(settings)


def test_a_setting_holds_the_key_instead_of_a_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, vault_key=new_key())
    assert open_vault(settings).key_print
    assert not settings.key_file.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(VaultError, match="cannot be made"):
        open_vault(Settings(data_dir=tmp_path))
