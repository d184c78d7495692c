# SPDX-License-Identifier: Apache-2.0
import os
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Type, Union

_Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
_Progress = Callable[[str, int, int], object]

__version__: str

class Object(NamedTuple):
    address: int
    type: str
    bytes: int
    strength: str

class Error(Exception):
    code: str

class OutOfMemoryError(Error, MemoryError): ...
class Cancelled(Error, KeyboardInterrupt): ...
class UsageError(Error, ValueError): ...
class FileError(Error, OSError): ...
class FormatError(Error, ValueError): ...
class MismatchError(Error, ValueError): ...
class CorruptError(Error, ValueError): ...
class MissingError(Error, LookupError): ...
class UnsupportedError(Error, NotImplementedError): ...
class LimitError(Error, MemoryError): ...

class Session:
    def __init__(
        self,
        core: Optional[_Path] = ...,
        exe: Optional[_Path] = ...,
        pid: Optional[int] = ...,
        sysroot: Optional[_Path] = ...,
        scratch: Optional[_Path] = ...,
        force: bool = ...,
        no_mmap: bool = ...,
        progress: Optional[_Progress] = ...,
    ) -> None: ...
    def run(self, *words: object) -> Dict[str, Any]: ...
    def text(self, *words: object, width: int = ...) -> str: ...
    def objects(self, type: Optional[str] = ..., dead: bool = ...) -> Iterator[Object]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Session: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...

def open(
    core: Optional[_Path] = ...,
    exe: Optional[_Path] = ...,
    pid: Optional[int] = ...,
    sysroot: Optional[_Path] = ...,
    scratch: Optional[_Path] = ...,
    force: bool = ...,
    no_mmap: bool = ...,
    progress: Optional[_Progress] = ...,
) -> Session: ...
