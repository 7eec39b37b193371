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

_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
"""Numbers of the 91 that COCO's annotations name but its sets of boxes never got."""


def _by_id() -> tuple[str, ...]:
    rest = iter(NAMES)
    return ("background", *("unused" if index in _GAPS else next(rest) for index in range(1, 91)))


NAMES_91: tuple[str, ...] = _by_id()
"""By COCO's own category numbers, as TensorFlow's and RF-DETR's networks count."""

ALIASES = {
    "pedestrian": "person",
    "people": "person",
    "human": "person",
    "automobile": "car",
    "motorbike": "motorcycle",
    "bike": "bicycle",
    "lorry": "truck",
    "aeroplane": "airplane",
    "ship": "boat",
}
"""What other sets call the classes that rules ask for."""


def known_as(names: tuple[str, ...], aliases: dict[str, str] | None = None) -> tuple[str, ...]:
    """Class names as rules know them; `aliases` go before the common ones.

    >>> known_as(("Pedestrian", "forklift"))
    ('person', 'forklift')
    """
    table = ALIASES | (aliases or {})
    return tuple(
        table.get(name, table.get(name.lower(), name.lower() if name.lower() in NAMES else name)) for name in names
    )
