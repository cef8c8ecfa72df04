"""Tables of results in Markdown, and their places in pages."""
