"""PrestaConsole keeps PrestaShop shops in step with a warehouse: console, daemon, command line, one core."""

__version__ = "0.1.0"
