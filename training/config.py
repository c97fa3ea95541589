"""Every number of the training run, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

SOURCES = {
    "coco": 5.0,
    "coco_more": 6.0,
    "coco128": 0.4,
    "voc_sample": 6.0,
    "ccp": 3.5,
    "wildlife": 2.0,
    "davis": 2.5,
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
    size: int  # side of the square input in pixels, a multiple of 16
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
        Phase(until=0.50, size=512, images=2, prompts=6, drawn=0.08, paste=0.40, corrected=0.75, balance=0.1),
        Phase(until=1.00, size=640, images=2, prompts=6, drawn=0.05, paste=0.30, corrected=0.8, balance=0.05),
    )
    # How often a photo of each source starts a scene.
    sources: dict[str, float] = field(default_factory=lambda: dict(SOURCES))
    min_area: float = 0.004  # regions smaller than this share of the scene are not asked for

    lr: float = 1e-4
    lr_end: float = 1e-6
    trunk_rate: float = 0.3  # learning rate of the trunk in parts of the others'
    warmup_steps: int = 100
    cooldown: float = 0.7  # share of the budget, at its end, over which the rate falls (half a cosine)
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    ema: float = 0.998

    box: float = 0.2  # share of steps whose first prompt is a noisy box
    box_noise: float = 0.1  # deviation of a box corner, in parts of the box's side
    centre: float = 0.6  # share of clicks at the point farthest from the border; the others fall anywhere in the region
    feedback: float = 0.9  # share of corrective steps that also get the previous logits
    silent: tuple[float, ...] = (0.45, 0.3, 0.13, 0.07, 0.05)  # chance of 0, 1, 2.. clicks without gradient in between

    bce: float = 2.0
    dice: float = 1.0
    edge: float = 0.5  # weight of BCE + dice at pixels near the border, at full resolution
    edge_points: int = 256  # how many pixels that is, for each region
    score: float = 1.0
    all_slots: float = 0.1  # weight of the mean over the three candidates beside the best of them
    shown: float = 0.3  # weight of the candidate with the best score, the one people are shown, beside the best of them
    single_first: float = 0.25  # weight of the single mask on the first click (full on a box and on later clicks)
    multi_later: float = 0.5  # weight of the candidates after the first click

    log_steps: int = 25


TRIAL = Config(
    phases=(Phase(until=1.0, size=384, images=2, prompts=6, drawn=0.1, paste=0.4, corrected=0.75, balance=0.1),),
    warmup_steps=20,
    cooldown=0.5,
    ema=0.98,
)
"""A few minutes to compare settings by."""

GPU = Config(
    phases=(
        Phase(until=0.60, size=512, images=48, prompts=6, drawn=0.08, paste=0.40, corrected=0.75, balance=0.1),
        Phase(until=1.00, size=640, images=32, prompts=6, drawn=0.05, paste=0.30, corrected=0.8, balance=0.05),
    ),
    lr=3e-4,
)
"""The same for the minutes one is lent a large GPU, in batches of up to 288 prompts."""

PRESETS = {"cpu": Config(), "gpu": GPU, "trial": TRIAL}
"""Where a run takes place, and a short one to compare settings by."""
