# SPDX-License-Identifier: Apache-2.0
"""Handles of the rows shown ($o3, $g12) as gdb's convenience variables: pointers with Go's type."""

import gdb

BYTES = {"string": "uint8"}  # the bytes that strings point to


def _lookup(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        return None


def _pointee(name, size):
    """Return the type that DWARF has for a type as goheap names it, or None.

    :param name: Go's name; `[]T` is a backing array of size bytes
    """
    if name in BYTES:
        name = "[]" + BYTES[name]
    if not name.startswith("[]"):
        return _lookup(name)
    elem = _lookup(name[2:])
    if elem is None or not elem.sizeof or size < elem.sizeof:
        return elem
    return elem.array(size // elem.sizeof - 1)


def publish(session):
    """Set a convenience variable for each row that the last answer showed.

    :param session: of the module, just run with how_next
    """
    known = {}
    for name, address, type_name, size in session.handles():
        key = (type_name, size)
        if key not in known:
            known[key] = _pointee(type_name, size) if type_name else None
        pointee = known[key] or gdb.lookup_type("void")
        if address:
            gdb.set_convenience_variable(name, gdb.Value(address).cast(pointee.pointer()))
