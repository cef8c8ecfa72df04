"""Files of data sets: folders and URLs, tars, images, hashes of code."""
