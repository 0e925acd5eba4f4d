"""A CUDA device that is not there.

Its tensors say they are on ``cuda:0``, hold their numbers in the CPU's memory and keep
a GPU's rules. Torch's own FakeTensorMode has no numbers, so nothing that goes through
numpy (collection, evaluation, rewards) can run in it, and builds of torch without CUDA
end the process at its first backward pass. Here everything runs, and with the numbers
of the CPU:

* an operation whose tensors are on different devices fails, as it would on a GPU;
  scalars of the CPU (0-d tensors) may take part;
* a tensor on the device has no ``numpy()``; a generator of the CPU draws nothing there;
  a file with such tensors does not load without a ``map_location``, as on a machine
  without a GPU;
* `PretendedCuda` counts what a GPU would have to be given or waited for: copies to it,
  copies and numbers from it.

What it can't tell: kernels that CUDA lacks, memory, speed, autocast on CUDA, CUDA's own
random streams.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

CUDA = torch.device("cuda", 0)
# The type that the C++ of torch sees: autograd wants one for which this build has streams and guards.
_CARRIER = torch.device("meta")
# Whose results have shapes that depend on numbers.
_SHAPED_BY_NUMBERS = {"nonzero", "masked_select", "unique_dim", "_unique2", "unique_consecutive", "bincount"}
_MOVES = {"_to_copy", "copy_"}
_INDEXES = {"index", "index_put", "index_put_", "_index_put_impl_"}


class OnDevice(Tensor):
    """`held`: the numbers."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        layout = dict(strides=held.stride(), storage_offset=held.storage_offset())
        return Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=_CARRIER, **layout)

    def __init__(self, held: Tensor) -> None:
        self.held = held

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError("a tensor on the pretended device is used outside of `pretended_cuda`")

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    def __repr__(self, **options: Any) -> str:
        return f"OnDevice({self.held!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.held.__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = OnDevice(self.held.clone()).requires_grad_(self.requires_grad)
        vars(twin).update({name: value for name, value in vars(self).items() if name != "held"})
        return memo.setdefault(id(self), twin)


class _Generator(torch.Generator):
    """One of the device, where it was asked for there."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        return super().__new__(cls, "cpu")

    def __init__(self, device: Any = "cpu") -> None:
        self._device = CUDA if torch.device(device).type == "cuda" else torch.device("cpu")

    device = property(lambda self: self._device)  # type: ignore[assignment]


class _Redirected(TorchFunctionMode):
    """What is asked for on "cuda" is asked for on the carrier, and known by that."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.cuda:
            return args[0].to(_CARRIER, **kwargs)
        if func is Tensor.pin_memory or kwargs.get("pin_memory"):
            kwargs.pop("pin_memory", None)
            return _pinned(args[0].clone() if func is Tensor.pin_memory else func(*args, **kwargs))
        generator, there = kwargs.get("generator"), _means_cuda(kwargs.get("device"))
        if generator is not None and (generator.device.type == "cuda") != there:
            wanted = "cuda" if there else "cpu"
            found = generator.device.type
            raise RuntimeError(f"Expected a '{wanted}' device type for generator but found '{found}'")
        if there and func in (torch.as_tensor, torch.tensor, torch.asarray):
            return func(*args, **{**kwargs, "device": None}).to(_CARRIER)
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], OnDevice):
            parts = args[1] if isinstance(args[1], tuple) else (args[1],)
            return func(args[0], tuple(map(_as_index, parts)), *args[2:])
        if func is Tensor.to:
            args = tuple(_CARRIER if _means_cuda(arg) else arg for arg in args)
        return func(*args, **({**kwargs, "device": _CARRIER} if there else kwargs))


def _as_index(value: Any) -> Any:
    """Lists and arrays as tensors: the C++ of torch would make them without numbers."""
    return torch.as_tensor(value) if isinstance(value, (list, np.ndarray)) else value


def _means_cuda(value: Any) -> bool:
    return isinstance(value, (str, torch.device)) and torch.device(value).type == "cuda"


def _pinned(tensor: Tensor) -> Tensor:
    tensor.page_locked = True  # type: ignore[attr-defined]
    return tensor


class PretendedCuda(TorchDispatchMode):
    """uploads: the bytes of each copy to the device; waits: for each time that the CPU
    would wait for the device, the operation and the line that asked for it.

    An upload that is not both asynchronous and from page-locked memory is one as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        self.uploads: list[int] = []
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.overloadpacket.__name__
        tensors = [value for value in tree_iter((args, kwargs)) if isinstance(value, Tensor)]
        target = kwargs.get("device")
        here = [t for t in tensors if not isinstance(t, OnDevice)]
        lost = [t for t in here if t.device.type == _CARRIER.type]
        assert not lost, f"{func} is given a tensor that lost its numbers"
        there = len(here) < len(tensors)
        if target is not None and target.type == _CARRIER.type:
            kwargs["device"] = torch.device("cpu")
        if name in _MOVES:
            self._note_move(name, args, kwargs, target)
        elif there:
            self._check(func, name, args, here)
        held: dict[int, OnDevice] = {}

        def inside(value: Any) -> Any:
            if isinstance(value, OnDevice):
                held[id(value.held)] = value
                return value.held
            return value

        result = func(*tree_map(inside, args), **tree_map(inside, kwargs))
        if name == "copy_":
            return args[0]
        if there and isinstance(result, (bool, int, float)):
            self.waits.append(f"{name} {_line()}")
        stays = there if target is None else target.type == _CARRIER.type

        def outside(value: Any) -> Any:
            if not isinstance(value, Tensor) or not stays:
                return value
            return held[id(value)] if id(value) in held else OnDevice(value)

        return tree_map(outside, result)

    def _note_move(self, name: str, args: Any, kwargs: dict[str, Any], target: torch.device | None) -> None:
        if name == "copy_":
            to, source = isinstance(args[0], OnDevice), args[1]
            non_blocking = kwargs.get("non_blocking", len(args) > 2 and args[2])
        else:
            source, non_blocking = args[0], kwargs.get("non_blocking", False)
            to = isinstance(source, OnDevice) if target is None else target.type == _CARRIER.type
        if to and not isinstance(source, OnDevice):
            self.uploads.append(source.numel() * source.element_size())
            if not (non_blocking and hasattr(source, "page_locked")):
                self.waits.append(f"upload that waits {_line()}")
        elif not to and isinstance(source, OnDevice):
            self.waits.append(f"copy to the CPU {_line()}")

    def _check(self, func: Any, name: str, args: Any, here: list[Tensor]) -> None:
        if name in _INDEXES and isinstance(args[0], OnDevice):
            indices = [i for i in args[1] if i is not None]
            if any(i.dtype in (torch.bool, torch.uint8) for i in indices):
                self.waits.append(f"index by a mask {_line()}")
            for i in indices:  # indices of the CPU are taken there first
                if not isinstance(i, OnDevice):
                    self.uploads.append(i.numel() * i.element_size())
                    self.waits.append(f"upload of indices {_line()}")
            here = [tensor for tensor in here if not any(tensor is i for i in indices)]
        if name in _SHAPED_BY_NUMBERS:
            self.waits.append(f"{name} {_line()}")
        wrong = [tuple(tensor.shape) for tensor in here if tensor.ndim]
        if wrong:
            found = f"at least two devices, cuda:0 and cpu! ({func}, {wrong})"
            raise RuntimeError(f"Expected all tensors to be on the same device, but found {found}")


def _line() -> str:
    """The innermost line of the package, or else of the tests."""
    frame: Any = sys._getframe()
    others = ("pretended_cuda", "/torch/", "contextlib")
    while frame is not None:
        file = frame.f_code.co_filename
        if not any(other in file for other in others):
            return f"at {file.rsplit('/', 2)[-2]}/{file.rsplit('/', 1)[-1]}:{frame.f_lineno}"
        frame = frame.f_back
    return "somewhere"


@contextmanager
def pretended_cuda() -> Iterator[PretendedCuda]:
    """Within the block "cuda" exists."""
    device, load = PretendedCuda(), torch.load

    def load_where_there_is_none(file: Any, map_location: Any = None, **options: Any) -> Any:
        if map_location is None:
            raise RuntimeError("Attempting to deserialize object on a CUDA device: no map_location")
        return load(file, map_location=map_location, **options)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*CUDA is not available.*")  # autocast, which is off
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(torch.cuda, "get_device_name", lambda device: "pretended")
        patch.setattr(torch, "load", load_where_there_is_none)
        swaps = torch.__future__.get_swap_module_params_on_conversion()
        # A parameter that moves is still the same object, as on a GPU.
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            with device, _Redirected():
                yield device
        finally:
            torch.__future__.set_swap_module_params_on_conversion(swaps)
