"""Images as a shop keeps, sizes and serves them (WEBSERVICE §7.8, FINDINGS R61–R65)."""

import pytest

from prestaconsole.sandbox import SimulatedShop, pictures
from tests.sandbox.conftest import Answer, Client

FORM = {"Content-Type": "multipart/form-data; boundary=b"}
VERSIONS = ("1.5", "1.6", "1.7", "8", "9")


def form(content: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="p"\r\nContent-Type: image/png\r\n\r\n'
    return head + content + b"\r\n--b--\r\n"


async def sent(client: Client, path: str, content: bytes) -> Answer:
    return await client.ask("POST", path, form(content), headers=FORM)


def made(version: str) -> tuple[SimulatedShop, Client]:
    shop = SimulatedShop.generate(version=version, products=2, orders=0, seed=3)
    return shop, Client(shop)


def content(answer: Answer) -> bytes:
    return answer.response.content


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 8), (300, 120), (801, 333)])
def test_pictures_tell_the_size_they_were_made_in(width: int, height: int) -> None:
    for make, kind in ((pictures.png, "image/png"), (pictures.jpeg, "image/jpeg")):
        file = make(7, width, height)
        assert (pictures.kind_of(file), pictures.size_of(file)) == (kind, (width, height))
        assert file != make(8, width, height)
    assert pictures.size_of(b"\xff\xd8 cut") == (300, 300)


@pytest.mark.parametrize(
    ("version", "kind"), [("1.6", "image/jpeg"), ("1.7", "image/png"), ("8", "image/png"), ("9", "image/png")]
)
async def test_what_is_kept_of_a_picture_is_another_file_of_the_same_size(version: str, kind: str) -> None:
    _, client = made(version)
    mine = pictures.png(5, 640, 480)
    uploaded = await sent(client, "images/products/1", mine)
    image = uploaded.node("id")
    kept = await client.get(f"images/products/1/{image}")
    assert kept.headers["content-type"] == kind
    assert content(kept) != mine
    assert pictures.size_of(content(kept)) == (640, 480)
    again = await client.get(f"images/products/1/{image}")
    assert content(again) == content(kept), "the same each time"
    assert content(await client.get("images/products/1/bin")) == content(kept)


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_size_is_made_of_an_image(version: str) -> None:
    shop, client = made(version)
    image = (await sent(client, "images/products/1", pictures.jpeg(5, 640, 480))).node("id")
    for row in shop.table("image_types"):
        answer = await client.get(f"images/products/1/{image}/{row['name']}")
        if row.get("products") == "1":
            assert pictures.size_of(content(answer)) == (int(row["width"]), int(row["height"]))
        else:
            assert (answer.status, answer.codes) == (400, [58])
    listed = await client.get("images/products")
    assert [node.get("name") for node in listed.tree.iter("image_type")] == sorted(
        row["name"] for row in shop.table("image_types") if row.get("products") == "1"
    )


async def test_a_replaced_image_keeps_its_id_and_type(shop: SimulatedShop, client: Client) -> None:
    image = (await sent(client, "images/products/1", pictures.jpeg(5, 64, 48))).node("id")
    before = content(await client.get(f"images/products/1/{image}"))
    answer = await sent(client, f"images/products/1/{image}?ps_method=PUT", pictures.png(6, 32, 32))
    after = await client.get(f"images/products/1/{image}")
    assert answer.headers["content-type"] == after.headers["content-type"] == "image/jpeg"
    assert content(after) == content(answer) != before
    assert pictures.size_of(content(after)) == (32, 32)
    assert shop.images[1] == [int(image)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["categories", "manufacturers", "suppliers", "stores"])
async def test_what_has_one_image_is_listed_served_replaced_and_cleared(version: str, kind: str) -> None:
    _, client = made(version)
    gone = await client.get(f"images/{kind}/3")
    assert (gone.status, gone.codes) == (500, [61])
    answer = await sent(client, f"images/{kind}/3", pictures.png(5, 90, 60))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert (await sent(client, f"images/{kind}/3", pictures.png(5, 90, 60))).codes == [65]
    listed = await client.get(f"images/{kind}")
    assert [node.get("id") for node in listed.tree.iter("image")] == ["3"]
    served = await client.get(f"images/{kind}/3")
    assert pictures.size_of(content(served)) == (90, 60)
    for node in listed.tree.iter("image_type"):
        assert (await client.get(f"images/{kind}/3/{node.get('name')}")).headers["content-type"] == "image/jpeg"
        missing = await client.get(f"images/{kind}/4/{node.get('name')}")
        assert (missing.status, missing.codes) == (500, [59])
    assert (await client.get(f"images/{kind}/3/nope")).codes == [58]
    replaced = await sent(client, f"images/{kind}/3?ps_method=PUT", pictures.png(6, 30, 30))
    assert pictures.size_of(content(replaced)) == (30, 30)
    assert (await client.ask("DELETE", f"images/{kind}/3")).status == 200
    assert (await client.get(f"images/{kind}/3")).codes == [61]
    assert (await client.ask("HEAD", f"images/{kind}")).status == 405, "as real shops answer: only GET lists"


async def test_the_default_and_the_general_images(client: Client) -> None:
    languages = await client.get("images/products/default")
    assert [node.get("iso") for node in languages.tree.iter("language")] == ["en", "fr"]
    english, french = [content(await client.get(f"images/products/default/{iso}")) for iso in ("en", "fr")]
    assert english.startswith(b"\xff\xd8")
    assert english != french
    small = await client.get("images/products/default/en/small_default")
    assert pictures.size_of(content(small)) == (98, 98)
    assert (await client.get("images/products/default/xx")).codes == [61]
    general = await client.get("images/general")
    assert [node.tag for node in general.tree[0]] == ["header", "mail", "invoice", "store_icon"]
    logo = await client.get("images/general/header")
    assert logo.headers["content-type"] == "image/jpeg"
    changed = await sent(client, "images/general/header?ps_method=PUT", pictures.png(1, 50, 20))
    assert changed.status == 200
    assert content(await client.get("images/general/header")) != content(logo)
    refused = await client.ask("DELETE", "images/general/mail")
    assert (refused.status, refused.codes) == (405, [50])
    assert (await client.get("images/general/nope")).codes == [53]
    assert (await client.get("images/nope")).codes == [48]


async def test_an_image_of_a_product_there_is_none_of_is_refused(client: Client) -> None:
    answer = await sent(client, "images/products/99", pictures.png(1))
    assert (answer.status, answer.codes) == (400, [76])


async def test_heads_of_images_have_no_body(client: Client) -> None:
    image = (await sent(client, "images/products/1", pictures.png(1))).node("id")
    answer = await client.ask("HEAD", f"images/products/1/{image}")
    assert (answer.status, answer.headers["content-type"], content(answer)) == (200, "image/png", b"")


async def test_a_search_needs_its_words_and_a_language(client: Client) -> None:
    for path in ("search", "search?query=mug", "search?language=1"):
        answer = await client.get(path)
        assert (answer.status, answer.codes) == (400, [100])
    assert (await client.get("search?query=mug&language=1")).status == 200
