"""Task families on the raw MuJoCo bindings: one shared model, one `MjData` per
environment, nothing between them and the physics.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from env_wrappers.base import HindsightEnv, HindsightRewards, rewards_like

_INTEGRATION = mujoco.mjtState.mjSTATE_INTEGRATION


def asset_path(package: str, relative: str) -> str:
    """The path of a model file inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    locations = list(spec.submodule_search_locations or []) if spec else []
    path = Path(locations[0], relative) if locations else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"{relative} of the package {package!r} is not installed; run: pip install {package}"
        )
    return str(path)


@cache
def load_model(package: str, relative: str) -> mujoco.MjModel:
    """Compile a model once per process. The model is shared: callers must not write to it."""
    return mujoco.MjModel.from_xml_path(asset_path(package, relative))


class MujocoHindsightEnv(HindsightEnv):
    """Physics of a `HindsightEnv` in MuJoCo. Pickles and deep copies carry the physical
    state; the model is loaded anew or shared.
    """

    package: str
    asset: str
    frame_skip: int = 5
    # Of pictures: the point looked at and the distance (metres), elevation and azimuth
    # (degrees); None for the model's camera "track".
    view: tuple[tuple[float, float, float], float, float, float] | None = None
    unpickled: tuple[str, ...] = ("model", "data")  # what `_build` makes anew

    def __init__(self, tasks: np.ndarray, obs_dim: int, action_dim: int, *, seed: int | None = None) -> None:
        super().__init__(tasks, obs_dim, action_dim, seed=seed)
        self._build()

    def _build(self) -> None:
        self.model = self._model()
        self.data = mujoco.MjData(self.model)

    @classmethod
    def _model(cls) -> mujoco.MjModel:
        return load_model(cls.package, cls.asset)

    @property
    def dt(self) -> float:
        """Seconds of simulated time in one step."""
        return float(self.model.opt.timestep) * self.frame_skip

    def reset_with_noise(self) -> None:
        """Start like gymnasium's locomotion: positions uniform within 0.1 of the model's,
        velocities normal with deviation 0.1.
        """
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] += self._rng.uniform(-0.1, 0.1, size=self.model.nq)
        self.data.qvel[:] += 0.1 * self._rng.standard_normal(self.model.nv)
        mujoco.mj_forward(self.model, self.data)

    def reset_with_uniform_noise(self, scale: float) -> None:
        """Start with positions and velocities uniform within `scale` of the model's."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] += self._rng.uniform(-scale, scale, size=self.model.nq)
        self.data.qvel[:] += self._rng.uniform(-scale, scale, size=self.model.nv)
        mujoco.mj_forward(self.model, self.data)

    def get_physics(self) -> np.ndarray:
        """The complete state of the simulation, (n,) float64."""
        state = np.empty(mujoco.mj_stateSize(self.model, _INTEGRATION))
        mujoco.mj_getState(self.model, self.data, state, _INTEGRATION)
        return state

    def set_physics(self, state: np.ndarray) -> None:
        mujoco.mj_setState(self.model, self.data, state, _INTEGRATION)
        mujoco.mj_forward(self.model, self.data)
        # mj_forward moved the solver's warm start
        mujoco.mj_setState(self.model, self.data, state, _INTEGRATION)

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in self.unpickled}
        return {**state, "_physics": self.get_physics()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        physics = state.pop("_physics")
        self.__dict__.update(state)
        self._build()
        self.set_physics(physics)


def with_shared_reward(reward: np.ndarray, achieved: np.ndarray) -> HindsightRewards:
    """A task's part of the reward plus the part that all tasks share, of features that end
    with (shared reward, done).
    """
    total = reward + achieved[..., -2].astype(np.float64)
    return rewards_like(total, np.broadcast_to(achieved[..., -1] > 0.5, total.shape))
