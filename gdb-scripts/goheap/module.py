# SPDX-License-Identifier: Apache-2.0
"""Find and load the compiled module _goheap."""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

NAME = "_goheap"
FILE = "_goheap.abi3.so"


def candidates(here):
    """Return where the module may lie, best first.

    :param here: folder of goheap.py
    :return: list of paths
    """
    places = []
    if os.environ.get("GOHEAP_MODULE"):
        places.append(os.environ["GOHEAP_MODULE"])
    places.append(os.path.join(here, FILE))  # installed: beside the scripts
    places.append(os.path.join(os.path.dirname(here), "build", "plugin", FILE))
    return places


def load(here):
    """Load the module, once.

    :param here: folder of goheap.py
    :return: the module
    :raises ImportError: there is none, or it does not load
    """
    if NAME in sys.modules:
        return sys.modules[NAME]
    places = candidates(here)
    for path in places:
        if os.path.exists(path):
            break
    else:
        raise ImportError("there is no " + " and no ".join(places))
    loader = importlib.machinery.ExtensionFileLoader(NAME, path)
    spec = importlib.util.spec_from_file_location(NAME, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[NAME] = module
    return module
