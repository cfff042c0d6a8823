"""The binding that cffi makes from include/madang/*.h: `lib` has the functions and constants."""

from typing import Any

ffi: Any
lib: Any
