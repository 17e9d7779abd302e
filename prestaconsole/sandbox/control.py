"""The page by which a simulated shop that is being served is told what to do. Imports the sandbox only.

GET /sandbox shows the faults and what was counted; POST /sandbox?http500=0.2&clock=3600 switches faults, with
`clear` all of them off. No such page exists in PrestaShop, and no fault touches it.
"""

import json
from typing import TYPE_CHECKING

from prestaconsole.sandbox.exchange import Answer, Request

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

CONTROL = "/sandbox"


def control(shop: "SimulatedShop", request: Request) -> Answer:
    """The state as JSON, after what was asked for; 400 with a sentence for a fault there is none of."""
    status, told = 200, {}
    if request.method == "POST":
        with shop.lock:
            try:
                for name, value in request.params.items():
                    if name == "clear":
                        shop.faults.clear()
                    else:
                        shop.faults.set(name, value or None)
            except ValueError as error:
                status, told = 400, {"error": str(error)}
    elif request.method != "GET":
        status, told = 405, {"error": "GET shows the state, POST changes it."}
    body = {
        **told,
        "faults": shop.faults.state(),
        "requests": len(shop.journal),
        "writes": shop.writes,
        "mails": len(shop.mails),
        "hooks": dict(sorted(shop.hooks.items())),
    }
    return Answer(status, [("content-type", "application/json")], f"{json.dumps(body, indent=2)}\n".encode())
