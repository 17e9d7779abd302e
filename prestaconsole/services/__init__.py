"""What people do: every function takes an actor and writes an audit row. Imports runner and everything below it."""
