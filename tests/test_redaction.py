"""No secret leaves in text: prints, formats, pickles, logs and exceptions show a mask."""

import base64
import logging
import pickle
from io import StringIO

import pytest

from prestaconsole.errors import UsageError
from prestaconsole.redaction import MASK, RedactingFilter, Secret, holds_key, redact, refuse_key

KEY = "QW7ZXCANARYKEY0123456789ABCDEFGH"


def test_a_secret_prints_as_dots_whatever_is_done_to_it() -> None:
    secret = Secret(KEY)
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret:>40}", f"{[secret]}", "%s" % secret):  # noqa: UP031
        assert KEY not in shown
        assert MASK in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret.reveal() == KEY


@pytest.mark.parametrize(
    "text",
    [
        f"https://shop.example/api/?ws_key={KEY}&display=full",
        f"Authorization: Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}",
        f"https://{KEY}@shop.example/api",
        f"key {KEY} was refused",
        f"'{KEY}'",
    ],
)
def test_every_form_of_a_key_is_masked(text: str) -> None:
    shown = redact(text)
    assert KEY not in shown
    assert base64.b64encode(f"{KEY}:".encode()).decode() not in shown
    assert MASK in shown


def test_known_secrets_of_another_shape_are_masked_too() -> None:
    secret = Secret("a rather long passphrase")
    assert redact("it is a rather long passphrase, really") == f"it is {MASK}, really"
    assert secret.reveal()


def test_what_is_no_key_stays_readable() -> None:
    for text in ("order 4182 of KAW-ETH-250", "a" * 32, "0" * 31, "ABC" * 20):
        assert redact(text) == text


def test_key_shaped_text_is_refused_in_free_fields() -> None:
    assert holds_key(f"the key is {KEY}.")
    with pytest.raises(UsageError, match="looks like a webservice key"):
        refuse_key("note", f"call Anna, {KEY}")
    assert refuse_key("note", "call Anna") == "call Anna"


def test_logs_and_their_tracebacks_hold_no_key() -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("test.redaction")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.warning("asked %s", f"/api/?ws_key={KEY}")
        try:
            int(KEY)
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    assert KEY not in stream.getvalue()
    assert "Traceback" in stream.getvalue()
