"""gym, imported without its end-of-life notice, which it would print in every process;
nothing in it concerns the spaces and the base class used here.
"""

from __future__ import annotations

from unittest import mock

try:
    from gym_notices import notices
except ImportError:  # then gym has none to print
    import gym
else:
    with mock.patch.dict(notices.notices, clear=True):
        import gym

Box = gym.spaces.Box

__all__ = ["Box", "gym"]
