# SPDX-License-Identifier: Apache-2.0
"""goheap inside gdb: commands, their completion, and the session kept for each inferior.

Talks to gdb; all analysis is in the compiled module.
"""
