"""What all parts of the generator speak of: surfaces, panels, views, settings, and streams of random numbers."""
