"""Dependency maps that are read: blocks with names, pictures, and a page to look at closely."""
