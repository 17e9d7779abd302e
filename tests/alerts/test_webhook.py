"""A webhook gets one JSON body; whatever goes wrong is said without its address."""

import json

import httpx
import pytest
from pytest_httpx import HTTPXMock

from prestaconsole.alerts.webhook import AlertNotSent, post
from tests.alerts.test_message import item, message

URL = "https://chat.example/hooks/T0P-S3CRET-PATH"


async def test_the_body_has_a_text_that_chat_rooms_show(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=URL, method="POST", status_code=200)
    assert await post(URL, message(item())) == "answered 200"
    request = httpx_mock.get_request()
    assert request is not None and request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content)["text"].startswith("ACT Wolle: The key was refused")


@pytest.mark.parametrize(
    ("after", "wait"), [("120", 120.0), ("Mon, 02 Mar 2020 09:00:00 GMT", 0.0), ("soon", None), ("", None)]
)
async def test_a_receiver_that_asks_for_patience_gets_it(httpx_mock: HTTPXMock, after: str, wait: float | None) -> None:
    httpx_mock.add_response(url=URL, status_code=429, headers={"Retry-After": after})
    with pytest.raises(AlertNotSent, match="answered 429") as refused:
        await post(URL, message(item()))
    assert refused.value.wait == wait


async def test_a_redirect_is_not_followed(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=URL, status_code=302, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(AlertNotSent, match="302"):
        await post(URL, message(item()))
    assert len(httpx_mock.get_requests()) == 1


@pytest.mark.parametrize(
    "error", [httpx.ConnectError(f"no road to {URL}"), httpx.ReadTimeout("late"), httpx.InvalidURL(URL)]
)
async def test_no_words_name_the_address(httpx_mock: HTTPXMock, error: Exception) -> None:
    httpx_mock.add_exception(error)
    with pytest.raises(AlertNotSent) as caught:
        await post(URL, message(item()))
    assert "S3CRET" not in str(caught.value) and caught.value.__cause__ is None
