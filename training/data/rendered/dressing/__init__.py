"""Second stage: paint cloth, skin and walls onto stored geometry, and simulate a camera."""
