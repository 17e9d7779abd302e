"""`python -m prestaconsole` is the command line."""

from prestaconsole.cli import main

if __name__ == "__main__":
    main()
