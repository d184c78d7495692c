# SPDX-License-Identifier: Apache-2.0
"""What gdb is looking at: a core (opened directly, by its path) or a stopped process."""

import os
import re
import struct

import gdb

ET_CORE = 4

AMD64 = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
         "fs_base gs_base ds es fs gs").split()
ARM64 = ["x%d" % i for i in range(31)] + ["sp", "pc", "cpsr"]
MASK = (1 << 64) - 1


def is_core(path):
    """Tell whether a file is an ELF core."""
    try:
        with open(path, "rb") as file:
            head = file.read(18)
    except OSError:
        return False
    return (len(head) == 18 and head[:4] == b"\x7fELF" and
            struct.unpack_from("<H", head, 16)[0] == ET_CORE)


def core_path():
    """Return the path of the core that gdb has loaded, or None.

    gdb has no Python attribute for it, so that the answer comes out of `info files`; its words may
    be translated, so that any quoted path there is tried.
    """
    text = gdb.execute("info files", to_string=True)
    for quoted in re.findall("[`'\"\u2018\u201c]([^\n]+?)['\"\u2019\u201d]", text):
        if is_core(quoted):
            return os.path.abspath(quoted)
    return None


def exe_path():
    """Return the path of the executable that gdb has loaded, or None."""
    path = gdb.current_progspace().filename
    return path if path and os.path.exists(path) else None


def is_native(inferior):
    """Tell whether the process runs under this very gdb, so that /proc/PID is its own."""
    connection = getattr(inferior, "connection", None)
    if connection is not None:
        return connection.type == "native"
    return "remote" not in gdb.execute("info files", to_string=True)


def _lines_of_proc(pid):
    with open("/proc/%d/maps" % pid, errors="surrogateescape") as file:
        return file.read().splitlines()


def mappings(inferior, native):
    """Return what the process has mapped.

    :return: list of (lo, hi, file offset, path or None, writable)
    :raises gdb.error: gdb cannot tell
    """
    result = []
    if native:
        for line in _lines_of_proc(inferior.pid):
            fields = line.split(None, 5)
            lo, hi = (int(part, 16) for part in fields[0].split("-"))
            path = fields[5] if len(fields) > 5 else None
            if fields[1][0] == "r" and path not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                result.append((lo, hi, int(fields[2], 16), path, fields[1][1] == "w"))
        return result
    for line in gdb.execute("info proc mappings", to_string=True).splitlines():
        match = re.match(r"\s*(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)"
                         r"(?:\s+([-rwxps]{4,5}))?(?:\s+(\S.*))?$", line)
        if match:
            lo, hi, offset = (int(match.group(i), 16) for i in (1, 2, 3))
            writable = match.group(4) is None or "w" in match.group(4)
            result.append((lo, hi, offset, match.group(5), writable))
    return result


def _register(frame, name):
    try:
        return int(frame.read_register(name)) & MASK
    except (ValueError, gdb.error, TypeError):
        return 0


# Vector registers by architecture: how many, their name, the field of 64-bit words.
VECTORS = {"aarch64": [(32, "v%d", ("d", "u"))],
           "i386:x86-64": [(16, "ymm%d", ("v4_int64",)), (16, "xmm%d", ("v2_int64",))]}


def _vectors(frame):
    """Return the words of the vector registers that the processor has."""
    for count, name, path in VECTORS.get(frame.architecture().name(), ()):
        words = []
        try:
            for i in range(count):
                value = frame.read_register(name % i)
                for field in path:
                    value = value[field]
                words += [int(value[k]) & MASK for k in range(value.type.range()[1] + 1)]
            return words
        except (ValueError, gdb.error, TypeError):
            continue
    return []


def _signal():
    try:
        return int(gdb.parse_and_eval("$_siginfo.si_signo"))
    except gdb.error:
        return 0


def _thread(thread, names):
    thread.switch()
    frame = gdb.newest_frame()
    tid = thread.ptid[1] or thread.ptid[2] or thread.num
    return (tid, _signal(), [_register(frame, name) for name in names], _vectors(frame))


def threads(inferior):
    """Return the threads with their registers, the selected one first.

    :return: list of (tid, signal, registers in the kernel's order, words of vector registers)
    :raises gdb.GdbError: a thread is running
    """
    selected, frame = gdb.selected_thread(), gdb.selected_frame()
    names = ARM64 if "aarch64" in frame.architecture().name() else AMD64
    rest = [thread for thread in inferior.threads() if thread.num != selected.num]
    rest.sort(key=lambda thread: thread.num)
    if any(thread.is_running() for thread in [selected] + rest):
        raise gdb.GdbError("goheap: cannot read the process: a thread is running: stop it first, "
                           "with: interrupt -a")
    try:
        return [_thread(thread, names) for thread in [selected] + rest]
    finally:
        selected.switch()
        frame.select()


def reader(inferior):
    """Return a function (address, length) -> bytes or None."""
    def read(address, length):
        try:
            return bytes(inferior.read_memory(address, length))
        except gdb.MemoryError:
            return None
    return read
