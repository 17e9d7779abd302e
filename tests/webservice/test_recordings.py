"""Every recorded answer of a real shop is read, or has a name; and what is read is what the shop held."""

import base64
import gzip
import re
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from prestaconsole.webservice import codec
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.classify import check_read, classify
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.query import Query
from prestaconsole.webservice.writer import ShopWriter, confirmed
from tests.support.shared import Recording, dump_folder, recording_folders, recordings, require_shared
from tests.webservice.shops import client

FOLDERS = sorted(recording_folders())
PLAIN = ("1.6.1.24", "1.7.8.11", "8.2.1", "9.0.0")
# answers that are no list and no record: schemas, the root, images, searches; and one list without ids
NO_RECORD = re.compile(r"schema|/api/?(\?|$)|/api/images|/api/search|display=\[name,value\]")


def answer_of(recording: Recording) -> Answer:
    response = recording.response
    named = {name.lower(): value for name, value in response["headers"]}
    text = response["body"] or ""
    body = base64.b64decode(text) if response.get("encoding") == "base64" else text.encode()
    if named.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Answer(recording.request["method"], recording.request["path_and_query"], response["status"], named, body)


def find(folder: str, name: str) -> Answer:
    require_shared()
    return answer_of(next(recording for recording in recordings(folder) if recording.name == name))


@pytest.mark.parametrize("folder", FOLDERS or ["absent"])
def test_every_recorded_read_is_read_or_named(folder: str) -> None:
    require_shared()
    seen: Counter[str] = Counter()
    for recording in recordings(folder):
        answer = answer_of(recording)
        if answer.method != "GET":
            continue
        try:
            check_read(answer)
        except e.WebserviceError as error:
            assert type(error) is not e.WebserviceError, recording.file
            assert error.kind not in {"webservice", "refused"}, recording.file
            assert answer.status != 200 or answer.content_type != "text/xml", recording.file
            seen[error.kind] += 1
            continue
        assert answer.status == 200, recording.file
        assert answer.intact() is not False, recording.file
        codec.parse(answer.document())
        if not NO_RECORD.search(recording.request["path_and_query"]):
            assert all(entity.id > 0 for entity in entities(answer)), recording.file
            seen["read"] += 1
    assert seen


def entities(answer: Answer) -> list[Entity]:
    """Lists as lists, with every field that was asked for; single records as such."""
    root = codec.parse(answer.document())
    only = root[0]
    single = re.search(r"/api/[a-z_]+/[^?]", answer.target) is not None
    if single or (len(only) and only[0].get("id") is not None):
        return codec.read_single(answer.document()) if single else codec.read_list(answer.document())
    display = dict(parse_qsl(urlsplit(answer.target).query)).get("display", "full")
    fields = re.findall(r"[a-z_0-9]+(?:\[[a-z_0-9,]*\])?", display[1:-1]) if display.startswith("[") else []
    return codec.read_list(answer.document(), *Query("products", tuple(fields)).names)


@pytest.mark.parametrize("folder", FOLDERS or ["absent"])
def test_every_recorded_write_is_confirmed_refused_or_unknown(folder: str) -> None:
    require_shared()
    for recording in recordings(folder):
        answer = answer_of(recording)
        if answer.method not in {"PUT", "PATCH", "POST"} or "/images" in answer.target or "JSON" in answer.target:
            continue
        sent = str(recording.request["body"] or "")
        nodes = re.findall(r"<prestashop[^>]*>\s*<([a-z_]+)", sent)
        ids = [int(id) for id in re.findall(r"<(?:[a-z_]+)>\s*<id>(?:<!\[CDATA\[)?(\d+)", sent)]
        count = max(1, len(re.findall(rf"<{nodes[0]}>", sent))) if nodes else 1
        method = "PUT" if "ps_method=PUT" in answer.target else answer.method
        try:
            written = confirmed(method, nodes[0] if nodes else "x", count, None if method == "POST" else ids, answer)
        except e.WriteError as error:
            assert error.kind not in {"webservice", "refused", "malformed-xml"}, recording.file
            # F1, F2: neither a 5xx nor a 200 with another face proves that nothing was written
            if answer.status >= 500 or answer.status < 300:
                assert isinstance(error, e.UnknownOutcome) or error.kind == "ws-disabled", recording.file
            else:
                assert isinstance(error, e.Refused), recording.file
        else:
            assert answer.status == (201 if method == "POST" else 200), recording.file
            assert written.entities, recording.file


@pytest.mark.parametrize("folder", PLAIN)
@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("auth-none-401", "no-key-received", 0),
        ("auth-wrong-key-401", "key-unknown", 20),
        ("auth-short-key-401", "key-malformed", 18),
        ("auth-no-permission-rows-401", "no-permissions", 21),
        ("auth-resource-not-permitted-401", "no-permission-resource", 26),
        ("auth-method-not-permitted-405", "no-permission-method", 25),
        ("webservice-disabled-no-key", "no-key-received", 0),
        ("post-stock-405", "method-forbidden", 101),
        ("method-nonsense", "method-not-supported", 23),
        ("resource-unknown", "resource-unknown", 27),
        ("filter-bad-field-400", "bad-request", 32),
        ("filter-dynamic-field-400", "bad-request", 34),
        ("list-display-bad-field-400", "bad-request", 35),
        ("sort-bad-direction-400", "bad-request", 37),
        ("limit-three-parts-400", "bad-request", 39),
        ("schema-wrong-value-400", "bad-request", 28),
        ("list-display-name-language-unknown", "language-unknown", 81),
        ("single-404", "not-found", 0),
        ("wrong-host-put", "redirected", 0),
        ("put-stock-text-quantity", "refused-value", 85),
        ("put-stock-unknown-id", "not-found", 92),
        ("put-stock-malformed-xml", "malformed-body", 127),
        ("stock-or-3000-ids", "url-too-long", 0),
        ("put-product-with-quantity-400", "refused-value", 93),
    ],
)
def test_each_known_refusal_has_the_same_name_in_every_version(folder: str, name: str, kind: str, code: int) -> None:
    error = classify(find(folder, name))
    assert (error.kind, error.code) == (kind, code)
    assert "/var/www" not in str(error)


def test_php_messages_of_real_shops_name_the_file_without_its_path() -> None:
    for folder in ("1.6.1.24-on-php7.4-warnings", "1.7.8.11-on-php7.4-E_NOTICE"):
        require_shared()
        for recording in recordings(folder):
            answer = answer_of(recording)
            if answer.status == 500 and answer.content_type == "text/xml":
                error = classify(answer)
                assert isinstance(error, e.PhpMessage)
                assert re.search(r"classes/\S+\.php", error.cause)
                assert "/var/www" not in f"{error} {error.messages}"


@pytest.mark.parametrize("folder", PLAIN)
async def test_a_recorded_zero_in_json_is_never_used(folder: str) -> None:
    """F30: 8 and 9 drop zeros from single JSON answers; lists keep them, and only lists are read as JSON."""
    listed = codec.read_json_list(find(folder, "stock-zero-json-as-list").body)
    assert [row.text("quantity") for row in listed] == ["0"]
    assert listed[0].has("quantity")
    with pytest.raises(codec.Unreadable):
        codec.read_json_list(find(folder, "stock-zero-json").body)


@pytest.mark.parametrize("folder", PLAIN)
async def test_a_recorded_control_character_hurts_nobody(folder: str) -> None:
    recorded = find(folder, "control-character-in-field-xml")
    id = int(recorded.target.rsplit("/", 1)[1])

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=recorded.headers, content=recorded.body)

    async with client(handler) as reader:
        address = await reader.one("addresses", id)
    assert address is not None
    assert not address.damaged
    assert address.text("company").startswith("Bell")
    assert address.text("lastname") == "Kovač"


@pytest.mark.parametrize("dump", PLAIN)
def test_every_record_of_a_whole_shop_is_read(dump: str) -> None:
    total = 0
    for path in sorted(dump_folder(dump).glob("*.xml.gz")):
        if path.name in {"api-root.xml.gz", "images-products.xml.gz"}:
            continue
        body = gzip.decompress(path.read_bytes())
        found = codec.read_list(body, frozenset({"id"}))
        node = re.search(rb"<prestashop[^>]*>\s*<([a-z_]+)>\s*<([a-z_]+)[ >]", body)
        if node:
            assert len(found) == len(re.findall(rb"\n<" + node.group(2) + rb"[ >]", body)), path.name
        total += len(found)
        assert not any(entity.damaged for entity in found)
    assert total > 1000


@pytest.mark.parametrize("folder", [name for name in FOLDERS if name.endswith("-images")] or ["absent"])
async def test_every_recorded_upload_gives_its_image_or_a_named_refusal(folder: str) -> None:
    require_shared()
    png = b"\x89PNG\r\n\x1a\n" + bytes(16)
    seen: Counter[str] = Counter()
    for recording in recordings(folder):
        if recording.request["method"] != "POST":
            continue
        answer = answer_of(recording)
        replacing = "ps_method" in answer.target
        kept = [(name, value) for name, value in answer.headers.items() if "encoding" not in name]
        reply = httpx.Response(answer.status, headers=kept, content=answer.body)
        async with client(lambda request, reply=reply: reply) as reader:
            writer = ShopWriter(reader)
            try:
                if replacing:
                    await writer.replace_image(406, 38, png)
                else:
                    assert await writer.add_image(406, png) > 0, recording.file
            except e.WriteError as error:
                assert answer.status >= 400, recording.file
                assert error.kind == "image-refused", recording.file
                seen["refused"] += 1
            else:
                assert answer.status == 200, recording.file
                seen["replaced" if replacing else "added"] += 1
    assert min(seen["refused"], seen["replaced"], seen["added"]) >= 2
