"""Pure decisions over dataclasses: no I/O, standard library only."""
