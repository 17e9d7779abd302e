"""Every way a shop's address is typed comes to one base, and nothing secret is stored."""

import pytest

from prestaconsole.webservice.address import AddressError, normalise

SPELLINGS = [
    "shop.example/boutique",
    "https://shop.example/boutique",
    "https://shop.example/boutique/",
    "HTTPS://SHOP.Example/boutique",
    "https://shop.example:443/boutique",
    "https://shop.example./boutique",
    "shop.example/boutique/api",
    "https://shop.example/boutique/api/",
    "https://shop.example/boutique/api/products/5?display=full",
    "https://shop.example/boutique//api//",
    "https://shop.example/boutique/webservice/dispatcher.php",
    "https://shop.example/boutique/webservice/dispatcher.php?url=products",
    "https://shop.example/boutique/index.php",
    "https://shop.example/boutique/index.php?id_product=3&controller=product",
    "https://shop.example/boutique/admin123/",
    "https://shop.example/boutique/adminXYZ9/index.php?controller=AdminLogin&token=abc",
    "https://shop.example/boutique/admin-dev/index.php/sell/orders/?_token=abc",
    "https://shop.example/boutique/gestion7x/index.php?controller=AdminDashboard",
    "https://shop.example/boutique/gestion7x/index.php/improve/modules",
    "https://shop.example/boutique/#top",
    "  https://shop.example/boutique  ",
    "<https://shop.example/boutique>",
    "https:\\\\shop.example\\boutique",
]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_all_spellings_come_to_one_base(typed: str) -> None:
    assert normalise(typed) == "https://shop.example/boutique"


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("shop.example", "https://shop.example"),
        ("https://www.shop.example/", "https://www.shop.example"),
        ("shop.example/prestashop/api/", "https://shop.example/prestashop"),
        ("http://shop.example", "http://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("https://shop.example:8443/api", "https://shop.example:8443"),
        ("shop.example:8443", "https://shop.example:8443"),
        ("localhost", "http://localhost"),
        ("localhost:8080/shop/api", "http://localhost:8080/shop"),
        ("127.0.0.1:8018", "http://127.0.0.1:8018"),
        ("192.168.1.20/ps", "http://192.168.1.20/ps"),
        ("https://127.0.0.1", "https://127.0.0.1"),
        ("[::1]:8080/api", "http://[::1]:8080"),
        ("https://bücher.example/läden", "https://xn--bcher-kva.example/l%C3%A4den"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://shop.example/api", "https://shop.example"),
        ("https://shop.example/boutique%20neuve/api", "https://shop.example/boutique%20neuve"),
    ],
)
def test_address_keeps_what_matters(typed: str, base: str) -> None:
    assert normalise(typed) == base
    assert normalise(base) == base


@pytest.mark.parametrize("typed", [spelling for spelling in SPELLINGS if "admin" in spelling or "gestion" in spelling])
def test_back_office_folder_is_never_stored(typed: str) -> None:
    base = normalise(typed)
    assert "admin" not in base
    assert "gestion" not in base


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ftp://shop.example",
        "https://",
        "https:///folder",
        "https://shop example",
        "https://shop.example:99999",
        "https://shop.example:port",
        "https://-.example",
        "https://shop..example",
        "https://user:secret@shop.example",
        "https://CANARY7CANARY7CANARY7CANARY7ABCD@shop.example/api",
        "https://shop.example/api/?ws_key=CANARY7CANARY7CANARY7CANARY7ABCD",
        "https://shop.example/CANARY7CANARY7CANARY7CANARY7ABCD",
        "https://shop.example/../etc",
        "https://[::1",
        "javascript:alert(1)",
        "https://shop.example/" + "x" * 3000,
    ],
)
def test_what_cannot_be_an_address_is_refused_with_a_remedy_and_without_secrets(typed: str) -> None:
    with pytest.raises(AddressError) as caught:
        normalise(typed)
    assert caught.value.cause
    assert caught.value.remedy
    assert "CANARY" not in f"{caught.value} {caught.value!r}"
    assert "secret" not in str(caught.value)
