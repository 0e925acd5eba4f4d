"""Logs to be read by tests: their columns by code base, and settings."""

from __future__ import annotations

from typing import Any

OURS = {
    "steps": "Number of env steps total",
    "return": "AverageReturn_all_test_tasks",
    "success": "SuccessRate_all_test_tasks",
}
RLKIT = {"steps": "Number of env steps total", "return": "eval/adaptation/test_tasks/final_returns Mean"}
RELEASE = {"steps": "Timesteps", "return": "Average Return", "success": "Test Final Success"}


def settings_of(
    relabeler: str = "hfr", seed: int = 0, env: str = "sawyer-push", **algo: Any
) -> dict[str, Any]:
    return {
        "env_name": env,
        "relabeler": relabeler,
        "seed": seed,
        "algo_params": algo,
        "versions": {"torch": "2"},
    }
