"""Tables of results in Markdown, and the markers for them in pages."""
