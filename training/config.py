"""Every number of the training run, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

SOURCES = {
    "coco": 2.0,
    "coco_more": 3.0,
    "coco128": 0.4,
    "voc_sample": 3.0,
    "ccp": 3.5,
    "wildlife": 2.0,
    "davis": 1.5,
    "pets": 1.5,
    "cats": 0.8,
    "adas_street": 1.4,
    "campus_road": 0.7,
    "facades": 1.2,
    "artdeco": 0.4,
    "corridor": 0.6,
    "carparts": 1.0,
    "food_home": 0.6,
    "trashbags": 0.6,
    "tools": 0.5,
    "dubai": 0.5,
    "nuclei": 0.4,
    "fruits": 0.3,
    "strawberry": 0.3,
    "mushrooms": 0.3,
    "granular": 0.3,
    "wheat": 0.2,
    "screws": 0.2,
    "electronics": 0.2,
    "particles": 0.2,
    "publaynet": 0.2,
}
"""How often a photo of each source starts a scene: by how much its photos differ, not by how many there are."""


@dataclass(frozen=True)
class Phase:
    """A stretch of the run at one input size."""

    until: float  # the share of the run's budget at which it ends, 0..1
    size: int  # side of the square input in pixels, a multiple of 64
    images: int  # images a step, in each process
    prompts: int  # prompts an image
    drawn: float  # share of wholly drawn scenes; the rest starts from a photo
    paste: float  # share of photo scenes that get other regions and shapes pasted on
    corrected: float  # share of steps that also train a corrective click
    balance: float  # share of the BCE that weighs a region and its surroundings alike


@dataclass(frozen=True)
class Config:
    """One run. Progress is measured in minutes (or steps) of the budget, so extending a run is a new budget."""

    seed: int = 20
    phases: tuple[Phase, ...] = (
        Phase(until=0.12, size=192, images=3, prompts=6, drawn=0.45, paste=0.75, corrected=0.5, balance=0.2),
        Phase(until=0.65, size=192, images=3, prompts=6, drawn=0.35, paste=0.75, corrected=0.5, balance=0.2),
        Phase(until=1.00, size=384, images=2, prompts=6, drawn=0.30, paste=0.75, corrected=0.6, balance=0.1),
    )
    # How often a photo of each source starts a scene.
    sources: dict[str, float] = field(default_factory=lambda: dict(SOURCES))
    pseudo: float = 0.2  # share of the regions of a photo that come from its edges alone, where it has such
    min_area: float = 0.004  # regions smaller than this share of the scene are not asked for

    qk_gain: float = 1.6
    lr: float = 5e-4
    lr_end: float = 1e-6
    trunk_rate: float = 0.25  # learning rate of the trunk, whose weights have seen ImageNet, in parts of the others'
    warmup_steps: int = 200
    cooldown: float = 0.5  # share of the budget, at its end, over which the rate falls (half a cosine)
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    ema: float = 0.999

    box: float = 0.2  # share of steps whose first prompt is a noisy box
    box_noise: float = 0.1  # deviation of a box corner, in parts of the box's side
    centre: float = 0.6  # share of clicks at the point farthest from the border; the others fall anywhere in the region
    feedback: float = 0.9  # share of corrective steps that also get the previous logits
    silent: tuple[float, ...] = (0.6, 0.15, 0.1, 0.08, 0.07)  # chance of 0, 1, 2.. clicks without gradient in between

    bce: float = 2.0
    dice: float = 1.0
    edge: float = 0.5  # weight of BCE + dice at pixels near the border, at full resolution
    edge_points: int = 256  # how many pixels that is, for each region
    score: float = 1.0
    affinity: float = 0.5  # weight of the loss that acts on the encoder directly
    all_slots: float = 0.1  # weight of the mean over the three candidates beside the best of them
    shown: float = 0.0  # weight of the candidate with the best score, the one people are shown, beside the best of them
    single_first: float = 0.25  # weight of the single mask on the first click (full on a box and on later clicks)
    multi_later: float = 0.5  # weight of the candidates after the first click

    log_steps: int = 25


FURTHER = Config(
    phases=(
        Phase(until=0.60, size=384, images=2, prompts=6, drawn=0.10, paste=0.40, corrected=0.75, balance=0.1),
        Phase(until=1.00, size=512, images=2, prompts=6, drawn=0.05, paste=0.30, corrected=0.8, balance=0.05),
    ),
    lr=2.5e-4,
    warmup_steps=50,
    cooldown=0.65,
    silent=(0.45, 0.3, 0.13, 0.07, 0.05),
    shown=0.3,
    sources={**SOURCES, "coco": 5.0, "coco_more": 6.0, "voc_sample": 6.0, "davis": 2.5},
)
"""From weights that can already do it: at full size at once, then ever more like the photos and clicks of real work."""

TRIAL = replace(
    FURTHER,
    phases=(Phase(until=1.0, size=384, images=2, prompts=6, drawn=0.1, paste=0.4, corrected=0.75, balance=0.1),),
    warmup_steps=20,
    cooldown=0.5,
    ema=0.98,
)
"""A few minutes to compare networks and losses by."""

GPU = replace(
    FURTHER,
    phases=(
        Phase(until=0.75, size=384, images=64, prompts=6, drawn=0.08, paste=0.40, corrected=0.75, balance=0.1),
        Phase(until=1.00, size=512, images=32, prompts=6, drawn=0.05, paste=0.30, corrected=0.8, balance=0.05),
    ),
    lr=6e-4,
    trunk_rate=0.4,
    warmup_steps=100,
    cooldown=0.7,
    ema=0.998,
)
"""`further` for the minutes one is lent a large GPU: from weights that can already do it, in batches of 384 prompts."""

STAGES = {"first": Config(), "further": FURTHER, "gpu": GPU, "trial": TRIAL}
"""The stages of the whole recipe, each a run of its own that starts from the weights of the one before."""
