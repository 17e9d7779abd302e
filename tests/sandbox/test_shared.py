"""Tests over recorded shops skip on a clone without them, and fail where the run demands them."""

from pathlib import Path

import pytest

from tests.support import shared


def test_without_the_recordings_a_test_skips_and_says_where_they_were_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared, "RECORDINGS", tmp_path / "recordings")
    monkeypatch.delenv("PRESTACONSOLE_REQUIRE_SHARED", raising=False)
    with pytest.raises(pytest.skip.Exception, match="the recordings and dumps of real shops are not at"):
        shared.require_shared()


def test_without_the_recordings_a_test_fails_where_they_are_demanded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared, "RECORDINGS", tmp_path / "recordings")
    monkeypatch.setenv("PRESTACONSOLE_REQUIRE_SHARED", "1")
    with pytest.raises(pytest.fail.Exception, match="are not at"):
        shared.require_shared()
