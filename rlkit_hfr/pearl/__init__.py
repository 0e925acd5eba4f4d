"""A PEARL (Rakelly et al. 2019) with oyster's attribute and method names. It does not know
that relabeling exists.

The names below are imported on first use: parts of this package are needed where
gtimer and tqdm are not.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlkit_hfr.pearl.callbacks import Callback
    from rlkit_hfr.pearl.config import PEARLConfig
    from rlkit_hfr.pearl.console import Console
    from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets

_HOMES = {
    "Callback": "callbacks",
    "Console": "console",
    "PEARLConfig": "config",
    "PEARLSoftActorCritic": "sac",
    "build_nets": "sac",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rlkit_hfr.pearl' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"rlkit_hfr.pearl.{_HOMES[name]}"), name)
    return value


__all__ = ["Callback", "Console", "PEARLConfig", "PEARLSoftActorCritic", "build_nets"]
