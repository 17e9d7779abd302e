"""Orders come into being, change state, are tracked and written as in a real shop (F46–F54)."""

from decimal import Decimal

import pytest

from prestaconsole.sandbox import Mail, SimulatedShop
from tests.sandbox.conftest import Client

HISTORY = "<order_history><id_order>{}</id_order><id_order_state>{}</id_order_state></order_history>"


async def test_an_order_appears_step_by_step(shop: SimulatedShop, client: Client) -> None:
    before = shop.quantity(1)
    id_order = shop.place_order([(1, 0, 2), (5, 1, 1)], steps=True)

    async def seen() -> tuple[str, int, int, int, int]:
        order = await client.get(f"orders/{id_order}")
        carriers = await client.get(f"order_carriers?filter[id_order]=[{id_order}]")
        payments = await client.get(f"order_payments?filter[order_reference]=[{order.node('reference')}]")
        rows = len(list(order.tree.iter("order_row")))
        return order.node("current_state"), rows, len(carriers.ids), len(payments.ids), shop.quantity(1)

    assert await seen() == ("0", 0, 0, 0, before)
    assert shop.next_step(id_order)
    assert await seen() == ("0", 2, 0, 0, before - 2)
    assert shop.next_step(id_order)
    assert await seen() == ("0", 2, 1, 0, before - 2)
    assert shop.next_step(id_order)
    assert await seen() == ("0", 2, 1, 1, before - 2)
    assert shop.next_step(id_order)
    assert await seen() == ("2", 2, 1, 1, before - 2)
    assert not shop.next_step(id_order)


def test_the_money_of_an_order_adds_up(shop: SimulatedShop) -> None:
    id_order = shop.place_order([(1, 0, 3), (5, 1, 2)])
    order = shop.row("orders", id_order)
    lines = [shop.row("order_details", row) for row in shop.table("order_details").find("id_order", id_order)]
    gross = sum(Decimal(line["total_price_tax_incl"]) for line in lines)
    net = sum(Decimal(line["total_price_tax_excl"]) for line in lines)
    assert Decimal(order["total_products_wt"]) == gross
    assert Decimal(order["total_products"]) == net
    assert Decimal(order["total_paid"]) == gross + Decimal(order["total_shipping_tax_incl"])
    assert order["total_paid_real"] == order["total_paid"]
    assert order["valid"] == "1"
    assert gross > net


def test_an_unpaid_order_has_no_payment_and_takes_its_stock_all_the_same(shop: SimulatedShop) -> None:
    before = shop.quantity(1)
    id_order = shop.place_order([(1, 0, 1)], state=10)
    order = shop.row("orders", id_order)
    assert (order["total_paid_real"], order["valid"], order["invoice_number"]) == ("0.000000", "0", "0")
    assert shop.table("order_payments").find("order_reference", order["reference"]) == []
    assert shop.quantity(1) == before - 1


async def test_cancelling_gives_the_stock_back_and_paying_takes_it_again(shop: SimulatedShop, client: Client) -> None:
    before = shop.quantity(5, 1), shop.quantity(5, 0)
    id_order = shop.sell(5, 1, 2)
    taken = shop.quantity(5, 1), shop.quantity(5, 0)
    assert taken == (before[0] - 2, before[1] - 2)
    await client.post("order_histories", HISTORY.format(id_order, 6))
    assert (shop.quantity(5, 1), shop.quantity(5, 0)) == before
    await client.post("order_histories", HISTORY.format(id_order, 2))
    assert (shop.quantity(5, 1), shop.quantity(5, 0)) == taken
    await client.post("order_histories", HISTORY.format(id_order, 4))
    assert (shop.quantity(5, 1), shop.quantity(5, 0)) == taken


def test_an_order_that_starts_as_payment_error_never_took_stock(shop: SimulatedShop) -> None:
    before = shop.quantity(1)
    id_order = shop.place_order([(1, 0, 1)], state=8)
    assert shop.quantity(1) == before
    shop.set_order_state(id_order, 2)
    assert shop.quantity(1) == before - 1


async def test_a_state_is_posted_with_and_without_mail(shop: SimulatedShop, client: Client) -> None:
    id_order = shop.sell(1)
    shop.mails.clear()
    answer = await client.post("order_histories", HISTORY.format(id_order, 3))
    assert (answer.status, shop.mails) == (201, [])
    assert shop.row("orders", id_order)["current_state"] == "3"
    await client.post("order_histories?sendemail=1", HISTORY.format(id_order, 4))
    assert shop.mails == [Mail(id_order, "shipped")]
    history = shop.table("order_histories").find("id_order", id_order)
    assert [shop.row("order_histories", row)["id_order_state"] for row in history] == ["2", "3", "4"]


async def test_the_same_state_again_is_another_row_and_another_mail(shop: SimulatedShop, client: Client) -> None:
    id_order = shop.sell(1)
    shop.mails.clear()
    for _ in range(2):
        answer = await client.post("order_histories?sendemail=1", HISTORY.format(id_order, 4))
        assert answer.status == 201
    assert len(shop.mails) == 2
    assert len(shop.table("order_histories").find("id_order", id_order)) == 3


async def test_a_refused_mail_is_a_500_although_the_state_was_changed(shop: SimulatedShop, client: Client) -> None:
    id_order = shop.sell(1)
    shop.faults.set("mail-refused")
    answer = await client.post("order_histories?sendemail=1", HISTORY.format(id_order, 4))
    assert (answer.status, answer.codes) == (500, [46])
    assert shop.row("orders", id_order)["current_state"] == "4"
    assert len(shop.table("order_histories").find("id_order", id_order)) == 2


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [("1.6", 200, "Invalid new order status"), ("8", 500, ""), ("9", 500, "")],
)
async def test_an_unknown_state_or_order_kills_the_request(version: str, status: int, text: str) -> None:
    shop = SimulatedShop.generate(version=version, products=2, orders=2)
    for id_order, id_state in ((1, 99), (99, 2)):
        answer = await Client(shop).post("order_histories", HISTORY.format(id_order, id_state))
        assert (answer.status, answer.text) == (status, text)
        assert answer.headers["content-type"].startswith("text/html")


async def test_a_new_state_moves_the_order_s_date_and_tracking_does_not(shop: SimulatedShop) -> None:
    clock = [1_795_260_000.0]
    shop = SimulatedShop.generate(products=2, orders=2, clock=lambda: clock[0])
    client = Client(shop)
    before = shop.row("orders", 1)["date_upd"]
    clock[0] += 60
    carrier = shop.table("order_carriers").find("id_order", 1)[0]
    await client.patch(
        f"order_carriers/{carrier}",
        f"<order_carrier><id>{carrier}</id><tracking_number>6A1</tracking_number></order_carrier>",
    )
    assert shop.row("orders", 1)["date_upd"] == before
    assert (await client.get("orders/1")).node("shipping_number") == "6A1"
    shop.set_order_state(1, 5)
    assert shop.row("orders", 1)["date_upd"] == shop.now()


async def test_a_partial_put_of_an_order_carrier_zeroes_the_rest(shop: SimulatedShop, client: Client) -> None:
    carrier = shop.table("order_carriers").ids()[0]
    row = shop.row("order_carriers", carrier)
    nodes = f"<id>{carrier}</id><id_order>{row['id_order']}</id_order><id_carrier>1</id_carrier>"
    nodes += "<tracking_number>X1</tracking_number>"
    answer = await client.put(f"order_carriers/{carrier}", f"<order_carrier>{nodes}</order_carrier>")
    assert answer.status == 200
    after = shop.row("order_carriers", carrier)
    assert (after["weight"], after["shipping_cost_tax_incl"]) == ("0.000000", "0.000000")
    assert (after["tracking_number"], after["date_add"]) == ("X1", shop.now())


async def test_tracking_with_mail_needs_a_carrier_with_an_address(shop: SimulatedShop, client: Client) -> None:
    shop.mails.clear()
    for id_carrier, mails in ((1, 0), (2, 1)):
        id_order = shop.place_order([(1, 0, 1)], id_carrier=id_carrier, state=10)
        shop.mails.clear()
        row = shop.table("order_carriers").find("id_order", id_order)[0]
        nodes = f"<order_carrier><id>{row}</id><tracking_number>6A1</tracking_number></order_carrier>"
        await client.patch(f"order_carriers/{row}?sendemail=1", nodes)
        assert len(shop.mails) == mails


async def test_a_bad_tracking_number_is_refused(shop: SimulatedShop, client: Client) -> None:
    row = shop.table("order_carriers").ids()[0]
    nodes = f"<order_carrier><id>{row}</id><tracking_number>&lt;b&gt;{{}}</tracking_number></order_carrier>"
    answer = await client.patch(f"order_carriers/{row}", nodes)
    assert (answer.status, answer.codes) == (400, [85])


async def test_an_order_put_without_shop_columns_vanishes_from_lists(shop: SimulatedShop, client: Client) -> None:
    row = shop.row("orders", 1)
    nodes = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in row.items()
        if isinstance(value, str) and not name.startswith("id_shop")
    )
    answer = await client.put("orders/1", f"<order>{nodes}</order>")
    assert answer.status == 200
    assert 1 not in (await client.get("orders")).ids
    assert (await client.get("orders/1")).status == 200


async def test_a_put_with_another_state_mails_without_being_asked(shop: SimulatedShop, client: Client) -> None:
    id_order = shop.sell(1)
    shop.mails.clear()
    row = shop.row("orders", id_order) | {"current_state": "4"}
    nodes = "".join(f"<{name}>{value}</{name}>" for name, value in row.items() if isinstance(value, str))
    await client.put(f"orders/{id_order}", f"<order>{nodes}</order>")
    assert shop.mails == [Mail(id_order, "shipped")]
    assert shop.row("orders", id_order)["current_state"] == "4"


async def test_an_order_is_made_from_a_cart_and_its_posted_state_does_not_count(
    shop: SimulatedShop, client: Client
) -> None:
    row = "<cart_row><id_product>1</id_product><id_product_attribute>0</id_product_attribute>"
    row += "<id_address_delivery>1</id_address_delivery><quantity>3</quantity></cart_row>"
    cart = "<cart><id_currency>1</id_currency><id_lang>1</id_lang><id_customer>1</id_customer>"
    cart += f"<associations><cart_rows>{row}</cart_rows></associations></cart>"
    made = await client.post("carts", cart)
    assert made.status == 201
    before = shop.quantity(1)
    facts = {"id_address_delivery": 1, "id_address_invoice": 1, "id_cart": made.node("id"), "id_currency": 1}
    facts |= {"id_lang": 1, "id_customer": 1, "id_carrier": 2, "current_state": 2, "module": "{}"}
    facts |= {"payment": "Bank wire", "total_paid": 10, "total_paid_real": 10, "total_products": 10}
    facts |= {"total_products_wt": 10, "conversion_rate": 1}
    order = "<order>" + "".join(f"<{name}>{value}</{name}>" for name, value in facts.items()) + "</order>"
    unknown = await client.post("orders", order.format("nope"))
    assert (unknown.status, unknown.text) == (500, "")
    answer = await client.post("orders", order.format("ps_wirepayment"))
    assert answer.status == 201
    assert answer.node("current_state") == ""
    id_order = int(answer.node("id"))
    assert shop.row("orders", id_order)["current_state"] == "8"
    assert shop.quantity(1) == before
    again = await client.post("orders", order.format("ps_wirepayment"))
    assert again.status == 500
    assert "already been placed" in again.text


async def test_a_virtual_order_has_no_parcel(shop: SimulatedShop, client: Client) -> None:
    id_order = shop.place_order([(1, 0, 1)], id_carrier=0)
    assert (await client.get(f"order_carriers?filter[id_order]=[{id_order}]")).ids == []
    assert shop.row("orders", id_order)["id_carrier"] == "0"


def test_an_unknown_product_cannot_be_ordered(shop: SimulatedShop) -> None:
    with pytest.raises(KeyError):
        shop.place_order([(9999, 0, 1)])
    assert len(shop.table("orders")) == 30


def test_lines_carry_the_combination_s_reference_and_name(shop: SimulatedShop) -> None:
    id_order = shop.sell(5, 1)
    line = shop.row("order_details", shop.table("order_details").find("id_order", id_order)[0])
    assert line["product_reference"] == "SKU-0005-S"
    assert "S)" in line["product_name"]
