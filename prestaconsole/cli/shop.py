"""`prestaconsole shop`: connect shops, steer and set them."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prestaconsole.cli.failures import Ended, tell_error
from prestaconsole.cli.options import Json, Limit, Shop, Waiting
from prestaconsole.cli.output import print_facts, print_json, print_rows, say, tell
from prestaconsole.cli.session import actor, opened, read_key, wait
from prestaconsole.errors import EXIT_FAILED, PrestaConsoleError, UsageError

if TYPE_CHECKING:
    from prestaconsole.services.connections import ConnectionTest
    from prestaconsole.services.golive import CheckList, Point
    from prestaconsole.services.shops import ShopSummary

app = typer.Typer(help="Connect shops, steer and set them.", no_args_is_help=True)

KeyStdin = Annotated[bool, typer.Option("--key-stdin", help="Read the webservice key from standard input.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The shop's name, as it is typed to confirm things.")],
    url: Annotated[str, typer.Option("--url", help="Its address, as visitors use it; the back office's will do.")],
    key_stdin: KeyStdin = False,
    email: Annotated[str, typer.Option("--email", help="The owner's e-mail address, needed before going live.")] = "",
    code: Annotated[str, typer.Option("--code", help="A short code; made of the name without it.")] = "",
    as_json: Json = False,
) -> None:
    """Add a shop and test its connection; one that passes starts in setup, another stays a draft."""
    from prestaconsole.services.connections import add_shop

    with opened() as core:
        key = read_key(key_stdin, shop=name)
        done = wait(add_shop(core, name=name, url=url, key=key, email=email, code=code, actor=actor(core)))
    if as_json:
        print_json(_document(done.shop) | {"test": done.test})
    else:
        say(f"{done.shop.name} ({done.shop.code}) is added at {done.shop.url}, mode {done.shop.mode}.")
    _end_test(done.test, done.shop.name, done.shop.code, silent=as_json)


@app.command("list")
def list_(
    mode: Annotated[str | None, typer.Option("--mode", help="Only shops of this mode.")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List the shops with mode, health and counts."""
    from prestaconsole.services.shops import list_shops

    with opened() as core:
        rows = list_shops(core, mode=mode, limit=limit)
    if as_json:
        print_json([_document(row) for row in rows])
        return
    print_rows(
        rows,
        [
            ("Shop", lambda row: row.name),
            ("Code", lambda row: row.code),
            ("Mode", lambda row: row.mode.upper()),
            ("Health", lambda row: "PAUSE" if row.paused else row.health),
            ("PrestaShop", lambda row: row.version or "?"),
            ("Listings", lambda row: row.listings),
            ("Orders", lambda row: row.orders),
            ("Held", lambda row: row.held),
            ("Incidents", lambda row: row.incidents),
            ("Last good", lambda row: row.last_good_at),
        ],
        empty="No shop yet. `prestaconsole shop add NAME --url URL --key-stdin` connects one; `demo` shows two.",
    )


@app.command()
def show(shop: Shop, as_json: Json = False) -> None:
    """Show a shop, its check-list and its waivers."""
    from prestaconsole.model import ShopMode
    from prestaconsole.services.golive import check_list
    from prestaconsole.services.pace import shop_pace
    from prestaconsole.services.shops import show_shop

    with opened() as core:
        found, pace = show_shop(core, shop), shop_pace(core, shop)
        points = check_list(core, shop, ShopMode.LIVE)
    if as_json:
        print_json(_document(found) | {"pace": pace, "check_list": [_point(point) for point in points.points]})
        return
    print_facts(
        [
            ("Shop", f"{found.name} ({found.code})"),
            ("Address", found.url),
            ("Mode", found.mode.upper()),
            ("Health", found.health),
            ("Asking", f"breaker {pace.breaker}. {pace.words}".strip() if pace and pace.words else ""),
            ("Speed", pace.speed if pace else ""),
            ("Owner", found.email),
            ("PrestaShop", found.version),
            ("Zone", found.timezone),
            ("Currency", found.currency),
            ("Key", f"print {found.key_print}" if found.key_print else ""),
            ("Key set", found.key_set_at),
            ("Paused", f"by {found.paused_by}: {found.pause_reason}" if found.paused else ""),
            ("Paused until", found.paused_until),
            ("Listings", found.listings),
            ("Orders", f"{found.orders}, {found.held} held"),
            ("Incidents", found.incidents),
            ("Last good answer", found.last_good_at),
            ("Last error", found.last_error),
            ("Live since", found.went_live_at),
        ]
    )
    say("")
    _print_points(points)


@app.command()
def test(shop: Shop, as_json: Json = False) -> None:
    """Test the connection with the stored key; a draft that passes moves to setup."""
    from prestaconsole.services.connections import test_connection
    from prestaconsole.services.shops import show_shop

    with opened() as core:
        found = wait(test_connection(core, shop, actor=actor(core)))
        summary = show_shop(core, shop)
    if as_json:
        print_json({"shop": summary.name, "mode": summary.mode, **_fields(found)})
    _end_test(found, summary.name, summary.code, silent=as_json)


@app.command()
def analyse(shop: Shop, waiting: Waiting = True, as_json: Json = False) -> None:
    """Read what kind of shop it is: version, zone, order states, rights. Runs the feed analyse."""
    from prestaconsole.cli.feed import run_and_print

    run_and_print(shop, "analyse", waiting=waiting, as_json=as_json)


@app.command()
def pause(
    shop: Shop,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands wherever the pause is shown.")],
    until: Annotated[
        str | None, typer.Option("--until", help="16:00, 2h, 3d or a date; without it you resume.")
    ] = None,
) -> None:
    """Stop all feeds of a shop for a time. What waits stays and goes on after."""
    from prestaconsole.operations.shops import find_shop
    from prestaconsole.services.shops import pause_shop
    from prestaconsole.services.typed import moment

    with opened() as core:
        zone = core.database.read_now(lambda c: find_shop(c, shop)).zone
        end = moment(until, now=core.clock.now(), zone=zone) if until else None
        found = pause_shop(core, shop, reason=reason, until=end, actor=actor(core))
    words = f" until {end.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})" if end else ""
    say(f"{found.name} is paused{words}. `prestaconsole shop resume {found.code}` resumes.")


@app.command()
def resume(shop: Shop) -> None:
    """End a pause."""
    from prestaconsole.services.pauses import read_pause
    from prestaconsole.services.shops import resume_shop

    with opened() as core:
        found = resume_shop(core, shop, actor=actor(core))
        everything = core.database.read_now(read_pause)
    if everything.paused:
        say(f"{found.name} has no pause of its own; everything is paused: `prestaconsole resume` resumes.")
    else:
        say(f"{found.name} is not paused.")


@app.command("rotate-key")
def rotate_key(shop: Shop, key_stdin: KeyStdin = False, as_json: Json = False) -> None:
    """Give a shop a new key: it is tested first, and the old one stays where it fails."""
    from prestaconsole.services.connections import rotate_key as rotate
    from prestaconsole.services.shops import show_shop

    with opened() as core:
        before = show_shop(core, shop)
        key = read_key(key_stdin, shop=before.name)
        found = wait(rotate(core, shop, key, actor=actor(core)))
        after = show_shop(core, shop)
    if as_json:
        print_json({"shop": after.name, "key_print": after.key_print, **_fields(found)})
    elif found.ok:
        say(f"{after.name} has a new key, print {after.key_print}.")
    if not found.ok:
        tell("The new key was not taken: the old one is still in use.")
    _end_test(found, after.name, after.code, silent=True)


@app.command("set")
def set_(
    shop: Shop,
    values: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="`shop settings` lists the keys.")],
) -> None:
    """Set a shop's settings, all or none; KEY= gives one its default back."""
    from prestaconsole.services.shops import set_values

    wanted: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("A setting is written KEY=VALUE.", "For example: orders.start=id:500")
        wanted[name.strip()] = value.strip()
    with opened() as core:
        done = set_values(core, shop, wanted, actor=actor(core))
    for name, value in done.items():
        say(f"{name} = {value}")


@app.command()
def settings(shop: Shop, as_json: Json = False) -> None:
    """List a shop's settings with their meaning and default."""
    from prestaconsole.services.shops import list_settings

    with opened() as core:
        rows = list_settings(core, shop)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Setting", lambda row: row.name),
            ("Value", lambda row: row.value),
            ("", lambda row: "own" if row.own else "default"),
            ("Meaning", lambda row: row.meaning),
        ],
        empty="",
    )


@app.command()
def mode(
    shop: Shop,
    mode: Annotated[str, typer.Argument(help="setup, rehearsal, live or frozen.")],
    confirm: Annotated[str, typer.Option("--confirm", metavar="SHOP", help="The shop's name or code, typed.")] = "",
    waive: Annotated[
        list[str] | None, typer.Option("--waive", metavar="CHECK=REASON", help="Waive a point; audited and shown.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Change a shop's mode. A refusal names each open point of the check-list and ends with 3."""
    from prestaconsole.services.modes import ModeRefused, change_mode

    waivers: dict[str, str] = {}
    for text in waive or []:
        name, equals, why = text.partition("=")
        if not equals:
            raise UsageError("A waiver is written CHECK=REASON.", "For example: --waive skus=“the owner mends them”")
        waivers[name.strip()] = why.strip()
    with opened() as core:
        try:
            done = change_mode(core, shop, mode, confirm=confirm, waive=waivers, reason=reason, actor=actor(core))
        except ModeRefused as refused:
            if as_json:
                print_json({"refused": True, "cause": refused.cause, "open": [_point(one) for one in refused.open]})
            raise Ended(_tell_refusal(refused, refused.open)) from None
    if as_json:
        print_json(done)
        return
    if done.before == done.after:
        say(f"{done.shop} is in {done.after} already.")
        return
    say(f"{done.shop} is in {done.after} now, it was in {done.before}.")
    for point in done.waived:
        say(f"Waived: {point.name}, by {point.waived_by}: {point.waiver}")
    if done.scheduled:
        say(f"Scheduled from now on: {', '.join(done.scheduled)}.")


def _tell_refusal(error: PrestaConsoleError, points: "tuple[Point, ...]") -> int:
    tell(error.cause)
    for point in points:
        tell(f"{point.name} {point.state} {point.text} {point.remedy}".rstrip())
    tell(error.remedy)
    return error.exit_status


def _print_points(points: "CheckList") -> None:
    say(f"Check-list: {points.green} of {len(points.points)} green")
    for point in points.points:
        state = point.state if point.state != "waived" else "waiv"
        say(f"  {state:<4}  {point.name:<15} {point.text}")
        if point.waiver:
            say(f"        {'':<15} waived by {point.waived_by}: {point.waiver}")
        elif point.state != "ok" and point.remedy:
            say(f"        {'':<15} {point.remedy}")


def _end_test(test: "ConnectionTest", name: str, code: str, *, silent: bool) -> None:
    """Say how a test went; a failing one ends with 1."""
    if not test.ok:
        tell_error(PrestaConsoleError(test.cause, test.remedy))
        if not silent:
            tell(f"`prestaconsole shop test {code}` tries again; `prestaconsole doctor {code}` examines it.")
        raise Ended(EXIT_FAILED)
    if silent:
        return
    took = timedelta(seconds=round(test.seconds, 1)).total_seconds()
    say(f"{name} answers: {test.shop_name or 'a shop'}, PrestaShop {test.version or '?'}, {took:g} s.")
    for note in test.notes:
        say(note)


def _document(shop: "ShopSummary") -> dict[str, Any]:
    return {"shop": shop.name, **_fields(shop)}


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _point(point: "Point") -> dict[str, Any]:
    return {"check": point.name, **{name: value for name, value in _fields(point).items() if name != "name"}}
