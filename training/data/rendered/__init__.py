"""Rendered pairs: clothed 3-D people under physically based lighting, and the same garments as product shots.

`people` makes bodies, poses and looks; `garments` cuts, sews and drapes clothes; `studio` lights, photographs and
stores scenes; `dressing` paints cloth, skin and walls onto stored scenes. Creating geometry is slow and happens once;
dressing is fast and can be repeated any number of times.
"""
