"""One file reaches the writer, one gives permits, and neither opens for a shop that is not live."""

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import prestaconsole
from prestaconsole.changes import gate
from prestaconsole.errors import LockedError
from prestaconsole.model import ShopMode
from prestaconsole.operations.shops import find_shop
from tests.e2e.silence import silent_modes, standing, world
from tests.e2e.standing import CODE, Standing, opened

__all__ = ["standing", "world"]

SOURCES = {
    path.relative_to(Path(prestaconsole.__file__).parent).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(Path(prestaconsole.__file__).parent.rglob("*.py"))
    if "_migrations" not in path.parts
}


def places_that(find: Callable[[ast.AST], bool]) -> set[str]:
    """The files in which a kind of statement stands."""
    return {name for name, tree in SOURCES.items() if any(find(node) for node in ast.walk(tree))}


def calls_of(name: str) -> Callable[[ast.AST], bool]:
    def find(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        called = node.func
        return (isinstance(called, ast.Name) and called.id == name) or (
            isinstance(called, ast.Attribute) and called.attr == name
        )

    return find


def imports_of(module: str) -> Callable[[ast.AST], bool]:
    def find(node: ast.AST) -> bool:
        if isinstance(node, ast.ImportFrom):
            named = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            return module in named
        return isinstance(node, ast.Import) and module in {alias.name for alias in node.names}

    return find


def sends_by_transport(node: ast.AST) -> bool:
    """``….transport.send(…)``: the one method that carries anything but a read."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "send"):
        return False
    return "transport" in ast.unparse(node.func.value)


def test_one_file_alone_can_reach_the_writer_and_one_alone_gives_permits() -> None:
    assert places_that(imports_of("prestaconsole.webservice.writer")) == {"changes/sending.py"}
    assert places_that(calls_of("ShopWriter")) == {"changes/sending.py"}
    assert places_that(calls_of("Permit")) == {"changes/gate.py"}
    assert places_that(sends_by_transport) == {"webservice/writer.py"}
    tree = SOURCES["changes/sending.py"]
    doors = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    assert doors and all(door.args.args[0].arg == "permit" for door in doors)


def test_the_road_repeats_reads_only(world: Standing, tmp_path: Path) -> None:
    world.copy(tmp_path / "data", ShopMode.LIVE)

    async def try_it() -> None:
        with opened(tmp_path / "data") as core:
            shop = await core.database.read(lambda c: find_shop(c, CODE))
            client = core.client(shop, await core.database.read(lambda c: core.key(c, shop)))
            async with client:
                assert not [name for name in dir(client) if name.startswith(("put", "post", "patch", "delete", "send"))]
                for method in ("PUT", "POST", "PATCH", "DELETE"):
                    with pytest.raises(ValueError, match="Only reads"):
                        await client._transport.read("products", check=lambda answer: None, method=method)

    asyncio.run(try_it())
    assert world.shop.journal == []


@silent_modes
def test_the_gate_gives_no_permit_for_a_shop_that_is_not_live(
    world: Standing, tmp_path: Path, mode: ShopMode, paused: bool
) -> None:
    world.copy(tmp_path / "data", mode, paused=paused)
    with opened(tmp_path / "data") as core, pytest.raises(LockedError):
        core.database.write_now(lambda c: gate.permit(c, 1, 1, now=core.clock.now(), time_out=5))
