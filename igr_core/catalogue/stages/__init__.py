"""The three stages of a catalogue run: load photos, restore garments, write results."""
