"""Read the table of a catalogue, and group its rows into garments."""
