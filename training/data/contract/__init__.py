"""What every data set gives: pairs, parsing maps, joints, and how a model sees them."""
