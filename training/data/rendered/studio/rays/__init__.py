"""From surfaces to buffers: one mesh, its rays, light, gloss and denoising."""
