"""The metrics, by the libraries and settings that a protocol names."""
