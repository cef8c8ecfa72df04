"""Types shared by all parts of the generator: surfaces, panels, views, settings and streams of random numbers."""
