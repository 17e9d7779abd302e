"""Boxes laid over a screen: diff, typed name, choice, form, help, palette. Imports Textual and services."""
