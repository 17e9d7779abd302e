"""One module a feed, the registry of all, and the interlock that says which may run when."""
