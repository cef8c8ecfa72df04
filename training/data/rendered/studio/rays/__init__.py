"""From surfaces to buffers: merged mesh, rays, light, gloss and denoising."""
