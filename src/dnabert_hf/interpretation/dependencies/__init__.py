"""Dependency maps that are read: blocks with names, and a page to look at closely."""
