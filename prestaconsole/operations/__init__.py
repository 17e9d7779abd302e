"""What feeds and people share: shops, their settings, orders coming in, holds, stock ledger, incidents, audit."""
