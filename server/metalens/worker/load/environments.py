"""Environments of reinforcement learning that are known by name: what they show and what may be done in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

# name: values observed, actions (an int: that many choices; a pair: that many values, each up to a bound)
_VECTORS: dict[str, tuple[int, "int | tuple[int, float]"]] = {
    "CartPole": (4, 2),
    "MountainCar": (2, 3),
    "MountainCarContinuous": (2, (1, 1.0)),
    "Pendulum": (3, (1, 2.0)),
    "Acrobot": (6, 3),
    "LunarLander": (8, 4),
    "LunarLanderContinuous": (8, (2, 1.0)),
    "BipedalWalker": (24, (4, 1.0)),
    "BipedalWalkerHardcore": (24, (4, 1.0)),
    "HalfCheetah": (17, (6, 1.0)),
    "Hopper": (11, (3, 1.0)),
    "Walker2d": (17, (6, 1.0)),
    "Swimmer": (8, (2, 1.0)),
    "Ant": (27, (8, 1.0)),
    "Humanoid": (376, (17, 0.4)),
    "HumanoidStandup": (376, (17, 0.4)),
    "InvertedPendulum": (4, (1, 3.0)),
    "InvertedDoublePendulum": (11, (1, 1.0)),
    "Reacher": (11, (2, 1.0)),
    "Pusher": (23, (7, 2.0)),
}
# Those of Roboschool and of PyBullet, which took them over: `RoboschoolAnt`, `AntBulletEnv`.
_BULLET: dict[str, tuple[int, int]] = {
    **{"InvertedPendulum": (5, 1), "InvertedPendulumSwingup": (5, 1), "InvertedDoublePendulum": (9, 1)},
    **{"Reacher": (9, 2), "Hopper": (15, 3), "Walker2d": (22, 6), "Walker2D": (22, 6), "HalfCheetah": (26, 6)},
    **{"Ant": (28, 8), "Humanoid": (44, 17)},
}
_BULLET_NAME = re.compile(r"Roboschool(\w+)|(\w+)BulletEnv")
# How high and wide the window is in which they are drawn, where every version has the same.
_WINDOWS = {
    **dict.fromkeys("CartPole MountainCar MountainCarContinuous".split(), (400, 600)),
    **dict.fromkeys("LunarLander LunarLanderContinuous BipedalWalker BipedalWalkerHardcore".split(), (400, 600)),
    **{"Pendulum": (500, 500), "Acrobot": (500, 500)},
}
# What a later version observes, where that changed: from that version on.
_CHANGED: dict[str, tuple[tuple[int, int], ...]] = {
    "Ant": ((2, 111), (4, 27), (5, 105)),
    "Humanoid": ((2, 376), (5, 348)),
    "HumanoidStandup": ((2, 376), (5, 348)),
    "InvertedDoublePendulum": ((2, 11), (5, 9)),
    "Reacher": ((2, 11), (5, 10)),
}
# name: states, actions
_TABLES = {"FrozenLake": (16, 4), "FrozenLake8x8": (64, 4), "Taxi": (500, 6), "CliffWalking": (48, 4)}
_ATARI = {
    name: int(count)
    for count, names in {
        "3": "Freeway Skiing",
        "4": "Breakout Atlantis",
        "5": "Surround",
        "6": "Pong SpaceInvaders Qbert Bowling DemonAttack NameThisGame UpNDown",
        "7": "Assault",
        "8": "Gopher Phoenix Tutankham",
        "9": "Asterix BeamRider Enduro MsPacman CrazyClimber VideoPinball",
        "10": "Amidar TimePilot WizardOfWor",
        "14": "Asteroids KungFuMaster",
        "18": "Alien BankHeist BattleZone Berzerk Boxing Centipede ChopperCommand Defender DoubleDunk FishingDerby "
        "Frostbite Gravitar Hero IceHockey Jamesbond Kangaroo Krull MontezumaRevenge Pitfall PrivateEye Riverraid "
        "RoadRunner Robotank Seaquest Solaris StarGunner Tennis Venture YarsRevenge Zaxxon",
    }.items()
    for name in names.split()
}
_PROCGEN = (
    "bigfish bossfight caveflyer chaser climber coinrun dodgeball fruitbot heist jumper leaper maze miner ninja "
    "plunder starpilot"
).split()
# What the recorded data of d4rl is of, by the first word of its name.
_RECORDED: dict[str, tuple[int, int]] = {
    **{"halfcheetah": (17, 6), "hopper": (11, 3), "walker2d": (17, 6), "ant": (111, 8), "antmaze": (29, 8)},
    **{"maze2d": (4, 2), "pen": (45, 24), "hammer": (46, 26), "door": (39, 28), "relocate": (39, 30)},
    **{"kitchen": (60, 9)},
}
_RECORDED_ID = re.compile(
    r"(?P<name>[a-z0-9]+)-(?:random|medium|expert|full|umaze|large|human|cloned|complete|partial|mixed|open|eval).*-v\d+"
)
_ID = re.compile(
    r"(?:(?P<space>[\w:.-]+)/)?(?P<name>[A-Za-z0-9]+?)(?P<kind>NoFrameskip|Deterministic|Continuous|Hardcore)?(?P<ram>-ram)?"
    r"(?P<frames>NoFrameskip|Deterministic)?(?:-v(?P<version>\d+))?"
)


@dataclass(frozen=True)
class Known:
    """What an environment shows (`observation`: a shape, or a number of states) and its actions, as above.

    `pixels` tells that it shows images, bytes from 0 to 255; `atari` that it is a game of that console. A `frame` that
    it renders is that high and wide; None where that is not known.
    """

    observation: "int | tuple[int, ...]"
    actions: "int | tuple[int, float]"
    pixels: bool = False
    atari: bool = False
    frame: "Optional[tuple[int, int]]" = None


def known(id: str) -> Optional[Known]:
    """What is known of the environment with this id; None for a name that is not known."""
    recorded = _RECORDED_ID.fullmatch(id)
    if recorded is not None and recorded["name"] in _RECORDED:
        values, moves = _RECORDED[recorded["name"]]
        return Known((values,), (moves, 1.0))
    found = _ID.fullmatch(id)
    if found is None:
        return None
    name, version = found["name"], int(found["version"] or 0)
    full = name + (found["kind"] if found["kind"] in ("Continuous", "Hardcore") else "")
    if name in _ATARI:
        return _atari(name, ram=found["ram"] is not None, full_actions=False)
    if name.lower() in _PROCGEN and (found["space"] or name.islower()):
        return Known((64, 64, 3), 15, pixels=True)
    if full == "CarRacing":
        return Known((96, 96, 3), (3, 1.0), pixels=True)
    if full in _TABLES:
        return Known(*_TABLES[full])
    bullet = _BULLET_NAME.fullmatch(name)
    if bullet is not None and (bullet[1] or bullet[2]) in _BULLET:
        values, moves = _BULLET[bullet[1] or bullet[2]]
        return Known((values,), (moves, 1.0))
    if full not in _VECTORS:
        return None
    size, actions = _VECTORS[full]
    for since, changed in _CHANGED.get(full, ()):
        size = changed if version >= since else size
    return Known((size,), actions, frame=_WINDOWS.get(full))


def procgen(name: str) -> Optional[Known]:
    """The game of that name."""
    return Known((64, 64, 3), 15, pixels=True) if name in _PROCGEN else None


def _atari(name: str, *, ram: bool, full_actions: bool) -> Known:
    actions = 18 if full_actions else _ATARI[name]
    frame = (210, 160)
    if ram:
        return Known((128,), actions, pixels=True, frame=frame)
    return Known((*frame, 3), actions, pixels=True, atari=True, frame=frame)
