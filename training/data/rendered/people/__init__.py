"""Bodies, poses, hair, faces, shoes and bags."""
