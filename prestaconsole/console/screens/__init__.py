"""The panes, one file each, kept as modes. Imports Textual, the widgets and services."""
