"""Every command of the console, in one list: key, words, lock. Imports the registry and the rows the locks look at."""

from prestaconsole.console.commands import EVERYWHERE, Command, Context, Registry
from prestaconsole.services.views.feeds import FeedLine
from prestaconsole.services.views.foreign import ForeignLine
from prestaconsole.services.views.formula import FormulaLine
from prestaconsole.services.views.shops import ShopLine
from prestaconsole.services.views.stock import PlanHead

NO_ROW = "Nothing stands under the cursor."


def _needs_row(context: Context) -> str | None:
    return None if context.row is not None else NO_ROW


def _pause_label(context: Context) -> str:
    return "Resume" if isinstance(context.row, ShopLine) and context.row.paused else "Pause"


def _pause_lock(context: Context) -> str | None:
    if isinstance(context.row, ShopLine) and context.row.mode == "draft":
        return "A draft has no feeds yet."
    return _needs_row(context)


def _import_lock(context: Context) -> str | None:
    if context.stale:
        return context.stale
    row = context.row
    if not isinstance(row, ShopLine):
        return NO_ROW
    if row.mode == "draft":
        return "No shop is connected yet: the key has not passed the doctor."
    return f"Paused by {row.paused_by}: {row.pause_reason}. p resumes." if row.paused else None


def _run_lock(context: Context) -> str | None:
    if not isinstance(context.row, FeedLine):
        return NO_ROW
    if context.row.lock and context.row.lock != "once":
        return f"{context.row.reason} e says what unlocks it."
    return context.stale or None


def _dry_run_lock(context: Context) -> str | None:
    if not isinstance(context.row, FeedLine):
        return NO_ROW
    if not context.row.writes and context.row.feed != "import_stock":  # which says what levels it would set
        return f"{context.row.feed} only reads: r runs it."
    return _run_lock(context)


def _schedule_lock(context: Context) -> str | None:
    if not isinstance(context.row, FeedLine):
        return NO_ROW
    return (
        None if context.row.schedulable else f"{context.row.feed} is never scheduled: it runs on event or by a person."
    )


def _stop_lock(context: Context) -> str | None:
    row = context.row
    if not isinstance(row, FeedLine):
        return NO_ROW
    if row.active is None:
        return f"{row.feed} does not run now. F8 pauses the whole shop."
    return "It stops at the next page already." if row.active.cancel_requested else None


def _plan_lock(context: Context) -> str | None:
    """Why the plan cannot be walked on."""
    plan = context.facts
    if not isinstance(plan, PlanHead):
        return "No plan waits. d makes one."
    if context.stale:
        return context.stale
    if isinstance(context.shop, ShopLine):
        if context.shop.mode == "rehearsal":
            return "Rehearsal plans and sends nothing. prestaconsole shop mode names the open points."
        if context.shop.mode != "live":
            return f"Locked in {context.shop.mode}: only a live shop is written to."
        if context.shop.paused:
            return f"Paused by {context.shop.paused_by}: {context.shop.pause_reason}."
    if not plan.waits:
        return f"Plan {plan.id} is {plan.state}. d makes a new one."
    if plan.mode != "live":
        return f"Plan {plan.id} was made in {plan.mode}: it is for comparing. d makes a new one."
    return None


def _apply_label(context: Context) -> str:
    plan = context.facts
    return "Release" if isinstance(plan, PlanHead) and plan.held else "Apply"


def _plan_dry_lock(context: Context) -> str | None:
    if context.shop is None:
        return "One shop at a time: F8, then enter on a shop."
    if isinstance(context.shop, ShopLine) and context.shop.mode in ("draft", "setup"):
        return "Locked in setup: rehearsal makes plans, live sends them."
    return context.stale or None


def _sending_lock(context: Context) -> str | None:
    plan = context.facts
    if isinstance(plan, PlanHead) and plan.state == "applying" and plan.run_id is not None:
        return None
    return "Nothing is being sent now."


def _undo_lock(context: Context) -> str | None:
    plan = context.facts
    if not isinstance(plan, PlanHead):
        return "Nothing was planned or sent yet."
    if plan.state in ("planning", "applying"):
        return f"Plan {plan.id} is at work. Wait for its end."
    return f"Plan {plan.id} is undone already." if plan.state == "undone" else None


def _undo_label(context: Context) -> str:
    plan = context.facts
    return "Drop plan" if isinstance(plan, PlanHead) and plan.waits else "Undo"


def _save_lock(context: Context) -> str | None:
    return None if context.facts else "Nothing is changed: enter chooses another action, m takes the suggestion."


def _one_shop_lock(context: Context) -> str | None:
    return None if context.shop is not None else "One shop at a time: F8, then enter on a shop."


def _frozen_lock(context: Context) -> str | None:
    if isinstance(context.shop, ShopLine) and context.shop.mode == "frozen":
        return "Frozen: reading goes on, settings stay; thawing needs an admin."
    return _one_shop_lock(context)


def _step_lock(context: Context) -> str | None:
    row = context.row
    if not isinstance(row, FormulaLine):
        return NO_ROW
    if not row.setting and row.product_id is None:
        return "This line is fixed: e says what it follows from."
    return _frozen_lock(context)


def _formula_save_lock(context: Context) -> str | None:
    return _frozen_lock(context) if context.facts else "Nothing is changed: enter changes a step."


def _foreign_lock(context: Context) -> str | None:
    row = context.row
    if not isinstance(row, ForeignLine):
        return NO_ROW
    if row.decision and not context.marks:
        return f"It is decided: {row.decision}, by {row.decided_by}. v shows the open ones."
    return None


COMMANDS: tuple[Command, ...] = (
    # Shops.
    Command("shops.open", "enter", "Open", "Open this shop: its feeds, and its name as scope.", "open",
            "shops", locked=_needs_row, synonyms=("choose", "scope")),
    Command("shops.pause", "p", "Pause", "Pause all feeds of this shop for a time, or resume them.", "pause",
            "shops", weight="shop", changes=True, locked=_pause_lock, labelled=_pause_label,
            synonyms=("resume", "stop", "hold still", "continue")),
    Command("shops.import", "o", "Import", "Import orders of this shop now: what came since the last time.",
            "import_orders", "shops", changes=True, locked=_import_lock, synonyms=("resync", "read orders", "fetch")),
    Command("shops.explain", "e", "Explain", "Explain this shop's health: last contact, last error, what waits.",
            "explain", "shops", locked=_needs_row, synonyms=("why", "error")),
    Command("shops.log", "l", "Log", "Show the live log of this shop.", "log", "shops", locked=_needs_row),
    # Feeds.
    Command("feeds.open", "enter", "Log of last run", "Open the log of this feed's last or present run.", "log",
            "feeds", locked=_needs_row),
    Command("feeds.run", "r", "Run", "Run this feed now; one that writes to the shop shows its plan first.", "run",
            "feeds", weight="shop", changes=True, locked=_run_lock, synonyms=("start", "again", "resync", "retry")),
    Command("feeds.dry", "d", "Dry run", "Dry run: make the plan of a writing feed, send nothing.", "dry_run",
            "feeds", locked=_dry_run_lock, synonyms=("plan", "preview", "test")),
    Command("feeds.schedule", "c", "Schedule", "Change when this feed runs, in words or cron.", "schedule",
            "feeds", changes=True, locked=_schedule_lock, synonyms=("cron", "interval", "every", "off")),
    Command("feeds.stop", "p", "Stop", "Pause the run at work: it stops at the next page, r goes on from there.",
            "stop", "feeds", changes=True, locked=_stop_lock, synonyms=("cancel", "abort")),
    Command("feeds.undo", "u", "Undo", "Undo the last change of this feed's schedule.", "undo", "feeds", changes=True,
            locked=_needs_row, synonyms=("take back", "rollback"), in_row=False),
    Command("feeds.explain", "e", "Explain", "Explain this feed: what it does, why it is locked, what unlocks it.",
            "explain", "feeds", locked=_needs_row, synonyms=("why", "lock")),
    Command("feeds.log", "l", "Log", "Show the live log of this feed's last run.", "log", "feeds", locked=_needs_row),
    # Mappings.
    Command("mappings.choose", "enter", "Choose", "Open the choice of what is done with orders in this state.",
            "choose", "mappings", changes=True, locked=_needs_row, synonyms=("import", "hold", "skip", "done")),
    Command("mappings.suggest", "m", "Suggested", "Map this state as its flags suggest; marked rows each their own.",
            "suggest", "mappings", changes=True, locked=_needs_row),
    Command("mappings.retry", "c", "Retry", "Change whether such orders are looked at again later.", "retry",
            "mappings", changes=True, locked=_needs_row, synonyms=("watch", "again")),
    Command("mappings.save", "a", "Save", "Apply the unsaved rules: the box names them first.", "save", "mappings",
            weight="shop", changes=True, locked=_save_lock, synonyms=("apply", "keep", "store")),
    Command("mappings.drop", "u", "Drop", "Undo the unsaved change of this row.", "drop", "mappings",
            locked=_needs_row, synonyms=("revert",)),
    Command("mappings.explain", "e", "Explain", "Explain this state: its flags, its rule, what was suggested and why.",
            "explain", "mappings", locked=_needs_row, synonyms=("why",)),
    # Stock diffs.
    Command("stock.dry", "d", "Dry run", "Dry run: make the plan anew, send nothing.", "dry_run", "stock",
            locked=_plan_dry_lock, synonyms=("plan", "preview", "compare")),
    Command("stock.apply", "a", "Apply", "Apply the next step of this plan: approve, send, or release the brake.",
            "apply", "stock", weight="shop", changes=True, locked=_plan_lock, labelled=_apply_label,
            synonyms=("send", "push", "approve", "release", "brake")),
    Command("stock.undo", "u", "Undo", "Undo: drop the plan, or plan the way back of what was sent.", "undo",
            "stock", weight="shop", changes=True, locked=_undo_lock, labelled=_undo_label,
            synonyms=("rollback", "drop")),
    Command("stock.stop", "p", "Stop", "Pause the sending: it stops after the page at work.", "stop", "stock",
            changes=True, locked=_sending_lock, labelled=lambda context: "" if _sending_lock(context) else "Stop"),
    Command("stock.explain", "e", "Explain", "Explain this number: every part of the formula.", "explain", "stock",
            locked=_needs_row, synonyms=("why", "formula")),
    Command("stock.open", "enter", "SKU", "Open everything known of this SKU in this shop.", "explain", "stock",
            locked=_needs_row),
    Command("stock.formula", "c", "Formula", "Change the stock formula of this shop, or of one product.", "formula",
            "stock", locked=_one_shop_lock, synonyms=("buffer", "cap", "threshold", "exception", "warehouses")),
    # Stock formula.
    Command("formula.edit", "enter", "Edit", "Open this step and change it; nothing is saved yet.", "edit", "formula",
            changes=True, locked=_step_lock, synonyms=("buffer", "cap", "threshold", "set")),
    Command("formula.explain", "e", "Explain", "Explain this step: what it does, what is in force.", "explain",
            "formula", locked=_needs_row, synonyms=("why",)),
    Command("formula.dry", "d", "Dry run", "Dry run: count what the unsaved steps would change, save nothing.",
            "count", "formula", locked=_one_shop_lock, synonyms=("preview", "effect", "count")),
    Command("formula.save", "a", "Save", "Apply the unsaved steps: the box says how many listings change.", "save",
            "formula", weight="shop", changes=True, locked=_formula_save_lock, synonyms=("apply", "keep", "store")),
    Command("formula.new", "n", "Exception", "New exception: steps of one product in this shop.", "new", "formula",
            weight="shop", changes=True, locked=_frozen_lock, synonyms=("product", "override")),
    Command("formula.drop", "u", "Drop", "Undo the unsaved change of this step, or drop this exception.", "drop_step",
            "formula", changes=True, locked=_step_lock, synonyms=("revert", "default")),
    # Foreign writes.
    Command("foreign.keep", "z", "Keep", "Close this with a reason: the shop keeps its figure.", "keep", "foreign",
            changes=True, locked=_foreign_lock, synonyms=("leave", "accept")),
    Command("foreign.overwrite", "s", "Overwrite", "Sync it: the next push writes our figure over the shop's.",
            "overwrite", "foreign", weight="shop", changes=True, locked=_foreign_lock, synonyms=("put back", "push")),
    Command("foreign.adopt", "c", "Adopt", "Change our stock so that it gives the shop's figure.", "adopt", "foreign",
            weight="shop", changes=True, locked=_foreign_lock, synonyms=("take over", "correct")),
    Command("foreign.explain", "e", "Explain", "Explain our number: every part, the last writes, what is not ours.",
            "explain", "foreign", locked=_needs_row, synonyms=("why",)),
    Command("foreign.open", "enter", "SKU", "Open everything known of this SKU in this shop.", "explain", "foreign",
            locked=_needs_row),
    # Live log.
    Command("log.pause", "p", "Pause", "Pause the log, or follow it again.", "follow", "log",
            labelled=lambda context: "Follow" if context.facts else "Pause", synonyms=("follow", "stop")),
    Command("log.level", "v", "Level", "View another level: all, info, warn, FAIL.", "level", "log"),
    Command("log.open", "enter", "Run", "Open the log of this line's run alone; esc brings all back.", "open_run",
            "log", locked=_needs_row),
    # Everywhere.
    Command("mark", "x", "Mark", "Mark this row; the next letter acts on all that are marked.", "mark",
            locked=_needs_row),
    Command("mark.all", "X", "Mark all", "Mark all rows shown, or take all marks away.", "mark_all", in_row=False),
    Command("filter", "f", "Filter", "Filter this list as you type; esc clears it.", "filter",
            synonyms=("search", "find", "narrow")),
    Command("view", "v", "View", "View: another order, and the rows that are new.", "view",
            synonyms=("sort", "new rows", "refresh")),
    Command("copy", "y", "Copy", "Copy the row's name or code to the clipboard.", "copy", locked=_needs_row),
    Command("help", "f1", "Help", "Help on this screen: what it is, what its keys do, what is locked.", "help",
            in_row=False, synonyms=("?", "keys")),
    Command("board", "f2", "Board", "Go to the board of all shops.", "go_board", in_row=False, go="b"),
    Command("stock", "f6", "Stock", "Go to the stock diffs; again: all shops or this one.", "go_stock", in_row=False,
            go="t", synonyms=("diffs", "plan", "quantities")),
    Command("feeds", "f7", "Feeds", "Go to the feeds; again: all shops or this one.", "go_feeds", in_row=False,
            go="f", synonyms=("runs", "schedules")),
    Command("shop", "f8", "Shop", "Go to this shop; again: all shops.", "go_shop", in_row=False, go="h",
            synonyms=("shops",)),
    Command("do", "f9", "Do", "Do: find any command by words.", "palette", in_row=False, synonyms=("palette",)),
    Command("go", "g", "Go", "Go to any place by one more letter.", "go_menu", in_row=False),
    Command("go.mappings", "", "Mappings", "Go to the mappings of order states.", "go_mappings", in_row=False, go="m",
            synonyms=("states", "rules")),
    Command("go.log", "", "Live log", "Go to the live log.", "go_log", in_row=False, go="l", synonyms=("follow",)),
    Command("go.foreign", "", "Foreign writes", "Go to the figures that somebody else wrote in shops.", "go_foreign",
            in_row=False, go="e", synonyms=("edits", "keep", "overwrite", "adopt")),
    Command("back", "escape", "Back", "Go back one step: clear a filter, leave a record.", "back", in_row=False),
    Command("leave", "q", "Leave", "Leave the console.", "leave", in_row=False, synonyms=("quit", "exit")),
    Command("changes", "W", "Changes", "Allow changes in this console, or go back to read-only.", "allow_changes",
            in_row=False, synonyms=("read-only", "write")),
)  # fmt: skip

REGISTRY = Registry(COMMANDS)
PANES: tuple[str, ...] = ("shops", "feeds", "mappings", "stock", "formula", "foreign", "log")

__all__ = ["COMMANDS", "EVERYWHERE", "PANES", "REGISTRY"]
