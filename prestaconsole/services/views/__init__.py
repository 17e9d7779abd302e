"""Read models of the screens: order, filter, marks, rows; known to no widget. Imports what is below services."""
