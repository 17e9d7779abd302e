"""A process that ticks when it is told the time: `python -m tests.runner.tickers URL`; answers with what it fired."""

import sys
from datetime import datetime

from prestaconsole.database import Database
from prestaconsole.runner.schedules import tick
from tests.support.runs import feed


def main(url: str) -> int:
    database = Database(url)
    try:
        with feed("paged"):
            print("ready", flush=True)
            for line in sys.stdin:
                now = datetime.fromisoformat(line.strip())
                print(database.write_now(lambda c, now=now: tick(c, now)), flush=True)  # type: ignore[misc]
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
