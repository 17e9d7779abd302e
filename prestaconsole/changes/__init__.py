"""The one way out (DESIGN §1, §7): plan, gate, brake, approval, apply with read-back, journal, undo."""
