"""Rendered pairs: clothed 3-D people in physically based light, and the same garments as product shots.

`people` makes bodies, poses and looks; `garments` cuts, sews and drapes clothes; `studio` lights, photographs and
stores scenes; `dressing` paints cloth, skin and walls onto stored scenes. Geometry is slow to make and is made once;
dressing is fast and can be repeated any number of times.
"""
