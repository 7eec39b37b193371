"""The 80 classes of COCO 2017 (Lin et al., 2014), in the order that detectors trained on it use."""

from __future__ import annotations

COCO = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass "
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
    "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
)
NAMES: tuple[str, ...] = tuple(word.replace("_", " ") for word in COCO.split())

WATCHED = frozenset(
    {"person", "bicycle", "car", "motorcycle", "bus", "train", "truck", "boat"}
    | {"bird", "cat", "dog", "horse", "sheep", "cow", "bear"}
)
"""What moves across a perimeter; a network's potted plants and chairs are of no use here."""
