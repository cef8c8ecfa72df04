"""Tables of results in Markdown, and their places in the pages that show them."""
