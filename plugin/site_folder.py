# SPDX-License-Identifier: Apache-2.0
"""Print where python3 looks for packages below a prefix, relative to it.

Usage: site_folder.py PREFIX. Prints the first of python3's own folders that lies in PREFIX/lib*;
where it has none there (a prefix of its own), the folder that it would have.
"""

import os
import site
import sys
import sysconfig


def folder(prefix):
    """Return the folder, relative to the prefix."""
    for path in site.getsitepackages():
        relative = os.path.relpath(path, prefix)
        if relative.startswith("lib"):
            return relative
    path = sysconfig.get_path("purelib", "posix_prefix", {"base": prefix, "platbase": prefix})
    return os.path.relpath(path, prefix)


print(folder(sys.argv[1]))
