"""The search resource, as far as a catalogue feed asks. Imports the sandbox only."""

from prestaconsole.sandbox.context import Context
from prestaconsole.sandbox.exchange import Answer
from prestaconsole.sandbox.output import TAIL, minimum
from prestaconsole.sandbox.query import folded
from prestaconsole.sandbox.refusal import Refusal

_XML = ("content-type", "text/xml;charset=utf-8")


def search(context: Context) -> Answer:
    """Products whose name in the asked language holds the words; the ranking of a real shop is not imitated."""
    if "query" not in context.params or "language" not in context.params:
        raise Refusal(400, (100, "You have to set both the 'language' and 'query' parameters to get a result"))
    words = folded(context.params.get("query", "")).split()
    language = context.style.languages[0]
    table = context.shop.tables["products"]
    found = [
        int(row["id"])
        for row in table
        if words and all(word in folded((row.get("name") or {}).get(language, "")) for word in words)
    ]
    base = context.style.base
    text = minimum(context.shop.resources["products"], found[:10], base).removesuffix(TAIL)
    near = dict.fromkeys(table.value(row, "id_category_default") for row in table.rows(found))
    categories = "".join(f'<category id="{one}" xlink:href="{base}categories/{one}"/>\n' for one in near)
    return Answer(200, [_XML], f"{text}<categories>\n{categories}</categories>\n{TAIL}".encode())
