"""Files of data sets: folders and URLs, tars, pictures, hashes of code."""
