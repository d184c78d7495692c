// SPDX-License-Identifier: Apache-2.0
// What the code of a function tells of the channel that one of its frames waits for: does it come out
// of a call of Done, does the wait stand in a loop, was something sent before. Mirrors what the
// compiler makes of receives, sends and selects (cmd/compile/internal/walk, go1.22 to go1.27), amd64.
#pragma once

#include "goruntime/stack.h"

struct gh_chancode {
	bool is_known;	  // the code was read up to the wait; else nothing is told
	bool in_loop;	  // a way through the function comes back to where it waits
	bool sent_before; // a way comes there from another send of the function
	bool sent_there_before; // from one that is seen to send on the same channel
	/*
	 * The channel is what a method returned that stands where context.Context has Done: the
	 * second one of an interface, in the order of their names; or Done of package context
	 * itself. What else has such an interface looks the same.
	 */
	bool is_result;
};

/**
 * frames: of a goroutine that waits in runtime.chanrecv1, chanrecv2, chansend1 or selectgo; channels:
 * that it receives from, n of them, which the result is compared with; sends_on: the one it sends on.
 * Errors: none; what cannot be read is not known. Linear in the size of the function, of which at most
 * GH_CHANCODE_MAX bytes are looked at.
 */
void gh_chancode_read(const struct gh_runtime *rt, const struct gh_frame_vec *frames,
		      const gh_addr *channels, size_t n, gh_addr sends_on,
		      struct gh_chancode *ret);

enum { GH_CHANCODE_MAX = 1 << 18 };
