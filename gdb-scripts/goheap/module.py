# SPDX-License-Identifier: Apache-2.0
"""Find and load the compiled module _goheap."""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

NAME = "_goheap"
FILE = "_goheap.abi3.so"
HERE = os.path.dirname(os.path.realpath(__file__))


def _installed():
    """Return where the installation put the module, None in a source tree."""
    try:
        place = importlib.import_module("goheap._installed")  # written by meson
    except ImportError:
        return None
    return os.path.normpath(os.path.join(HERE, place.MODULE))


def candidates():
    """Return where the module may lie, best first.

    :return: list of paths
    """
    places = []
    if os.environ.get("GOHEAP_MODULE"):
        places.append(os.environ["GOHEAP_MODULE"])
    source = os.path.dirname(os.path.dirname(HERE))
    places.append(_installed() or os.path.join(source, "build", "plugin", FILE))
    return places


def load():
    """Load the module, once.

    :return: the module
    :raises ImportError: there is none, or it does not load
    """
    if NAME in sys.modules:
        return sys.modules[NAME]
    places = candidates()
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
