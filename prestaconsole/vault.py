"""The vault: every secret of a shop as AES-256-GCM, opened only with a key that is not in the database (row C8).

Pure sealing and opening; where the cipher text is kept is the caller's matter. Imports settings and redaction.
"""

import base64
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from prestaconsole.errors import PrestaConsoleError
from prestaconsole.redaction import Secret
from prestaconsole.settings import Settings

_KEY_BYTES = 32
_NONCE_BYTES = 12


class VaultError(PrestaConsoleError):
    """The vault's key is missing, open to others, or does not fit what was sealed."""


@dataclass(frozen=True)
class Sealed:
    """A sealed secret: the print of the key that wrapped it, its own nonce, and the cipher text with its tag."""

    wrapped_with: str
    nonce: bytes
    ciphertext: bytes


class Vault:
    """Seals and opens secrets; the shop and the secret's name are bound in, so two swapped rows do not open."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise VaultError(
                f"The vault's key has {len(key)} bytes instead of {_KEY_BYTES}.",
                "Give back the right key file or PRESTACONSOLE_VAULT_KEY; a new key opens nothing sealed before.",
            )
        self._cipher = AESGCM(key)
        self.key_print = hashlib.sha256(b"prestaconsole vault " + key).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Vault(key print {self.key_print})"

    def seal(self, secret: Secret, *, shop_id: int, name: str) -> Sealed:
        """Seal a secret for one shop under a fresh nonce."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = self._cipher.encrypt(nonce, secret.reveal().encode(), _bound(shop_id, name))
        return Sealed(self.key_print, nonce, text)

    def open(self, sealed: Sealed, *, shop_id: int, name: str) -> Secret:
        """Open a sealed secret. Raises ``VaultError`` when key, shop or name are not those it was sealed with."""
        if sealed.wrapped_with != self.key_print:
            raise VaultError(
                f"The {name.replace('_', ' ')} of shop {shop_id} was sealed with another vault key "
                f"({sealed.wrapped_with}, this one is {self.key_print}).",
                "Put the old key file back, or enter the shop's key again with `shop rotate-key`.",
            )
        try:
            clear = self._cipher.decrypt(sealed.nonce, sealed.ciphertext, _bound(shop_id, name))
        except InvalidTag:
            raise VaultError(
                f"The {name.replace('_', ' ')} of shop {shop_id} does not open: the row was changed or swapped.",
                "Enter the shop's key again with `shop rotate-key`.",
            ) from None
        return Secret(clear.decode())

    def rewrap(self, sealed: Sealed, new: "Vault", *, shop_id: int, name: str) -> Sealed:
        """The same secret sealed under a new vault key."""
        return new.seal(self.open(sealed, shop_id=shop_id, name=name), shop_id=shop_id, name=name)


def _bound(shop_id: int, name: str) -> bytes:
    return f"shop {shop_id} {name}".encode()


def open_vault(settings: Settings) -> Vault:
    """The vault of this installation. The key comes from the setting, else from the 0600 file, made at first use.

    Raises ``VaultError`` when the file is readable by others, cannot be made or does not hold a key.
    """
    given = settings.vault_key.get_secret_value()
    if given:
        return Vault(_decode(given, "PRESTACONSOLE_VAULT_KEY"))
    path = settings.key_file
    try:
        return Vault(_decode(_read_key_file(path), f"The file {path}"))
    except FileNotFoundError:
        return Vault(_decode(_make_key_file(path), f"The file {path}"))


def _read_key_file(path: Path) -> str:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        # systemd hands credentials over in a folder that nobody else can enter, whatever their mode.
        handed_over = path.parent == Path(os.environ.get("CREDENTIALS_DIRECTORY") or os.devnull)
        if mode & 0o077 and not handed_over:
            raise VaultError(
                f"The vault's key file {path} can be read by others (mode {mode:04o}).",
                f"Run: chmod 600 {path}. If others had access to this machine, enter the shops' keys anew.",
            )
        return file.read().decode("ascii", "replace")


def _make_key_file(path: Path) -> str:
    text = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written whole under another name, then linked: two first starts at once end with one key.
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return _read_key_file(path)
        finally:
            draft.unlink()
    except OSError as error:
        raise VaultError(
            f"The vault's key file {path} cannot be made: {error.strerror}.",
            "Free space or mend the folder's rights, or name another place in PRESTACONSOLE_VAULT_KEY_FILE.",
        ) from None
    return text


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise VaultError(
            f"{where} does not hold a key: 32 bytes as base64 are expected.",
            "Put back the right one from your backup of the vault's key.",
        ) from None


def new_key() -> str:
    """A fresh key-encryption key, as base64."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
