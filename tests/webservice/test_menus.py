"""A remedy names the menus that the person sees in that shop's back office."""

import pytest

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.menus import PRODUCTS, TRAFFIC, WEBSERVICE, for_version, generation
from prestaconsole.webservice.query import Query
from tests.webservice.shops import client, errors


@pytest.mark.parametrize(
    ("version", "webservice", "traffic"),
    [
        ("", "Advanced Parameters > Webservice", "Shop Parameters > Traffic & SEO"),
        ("1.5.6.3", "Advanced Parameters > Webservice", "Preferences > SEO & URLs"),
        ("1.6.1.24", "Advanced Parameters > Webservice", "Preferences > SEO & URLs"),
        ("1.7.8.11", "Configure > Advanced Parameters > Webservice", "Configure > Shop Parameters > Traffic & SEO"),
        ("8.2.1", "Configure > Advanced Parameters > Webservice", "Configure > Shop Parameters > Traffic & SEO"),
        ("9.0.0", "Configure > Advanced Parameters > Webservice", "Configure > Shop Parameters > Traffic & SEO"),
    ],
)
def test_each_version_has_its_own_paths(version: str, webservice: str, traffic: str) -> None:
    assert for_version(f"In {WEBSERVICE} tick it.", version) == f"In {webservice} tick it."
    assert for_version(f"Save {TRAFFIC}.", version) == f"Save {traffic}."
    once = for_version(f"In {PRODUCTS}.", version)
    assert for_version(once, version) == once


def test_a_version_is_read_as_far_as_it_goes() -> None:
    assert [generation(text) for text in ("8.2.1", "1.7", "9", "", "x.y")] == [(8, 2), (1, 7), (9, 0), (0, 0), (0, 0)]


@pytest.mark.parametrize(("version", "path"), [("1.6.1.24", "In Advanced"), ("8.2.1", "In Configure > Advanced")])
async def test_an_error_of_the_shop_leads_into_its_own_menus(version: str, path: str) -> None:
    answer = errors(401, (26, 'Resource of type "orders" is not allowed'))
    answer.headers["PSWS-Version"] = version
    async with client(lambda request: answer) as reader:
        with pytest.raises(e.NoPermissionResource) as caught:
            await reader.page(Query("orders", ("id",), limit=1))
    assert caught.value.remedy.startswith(path)
