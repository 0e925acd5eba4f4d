"""Import this before anything that imports MuJoCo, which reads at that moment what to
render with: EGL, where there is no display.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "linux" and not os.environ.get("DISPLAY") and "MUJOCO_GL" not in os.environ:
    os.environ["MUJOCO_GL"] = "egl"
    try:
        import mujoco  # noqa: F401
    except Exception:  # no EGL here, which fails in many ways: everything but rendering works without
        del os.environ["MUJOCO_GL"]
