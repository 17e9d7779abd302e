"""The pieces of a screen: line widgets that repaint only the cells that changed. Imports Textual and services."""
