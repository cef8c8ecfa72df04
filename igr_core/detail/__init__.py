"""Where each part of a garment is in the photo, by the reference attention; how sure that is; and its pixels."""
