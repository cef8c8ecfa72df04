"""Where the garment is: SAM 2 by marks, human parsers by category."""
