"""What a garment is: its style, and the parts that it is cut from."""
