"""Which figures are drawn."""
from __future__ import annotations

import numpy as np
from log_files import settings_of

from rlkit_hfr.experiments.commands.plot import main


def test_relabeling_is_drawn_for_each_environment_by_itself(write_run, tmp_path, capsys):
    for env, tasks in (("x", 2), ("y", 3)):
        folder = write_run(f"{env}/s-0", variant=settings_of(env=env), extra={"relabel/effective tasks": 2.0})
        (folder / "relabeling").mkdir()
        np.savez(folder / "relabeling" / "epoch_0.npz", tasks=np.arange(tasks), source_to_new=np.eye(tasks))
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert {"relabeling-x.png", "relabeling-y.png"} <= {file.name for file in (tmp_path / "out").iterdir()}
