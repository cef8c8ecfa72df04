"""Rendered pairs: dressed 3-D persons under real light, and the same garments as product shots.

people make bodies, poses and looks; garments cut, sew and drape the clothes; studio lights, photographs and stores what
the camera saw; dressing paints cloth, skin and walls onto what is stored. Geometry is slow and made once, dressing is
fast and can be done any number of times.
"""
