# SPDX-License-Identifier: Apache-2.0
"""What the tests know without goheap: how programs are built and die, and what their deaths say."""
