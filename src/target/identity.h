// SPDX-License-Identifier: Apache-2.0
// Which object was loaded at an address: its ELF header, program headers and build ids, read from
// the process's memory. Not for other layers.
#pragma once

#include <elf.h>

#include "target/open.h"

/** What memory tells of the identity of one loaded object. */
struct gh_identity {
	gh_addr base;	     // where its file offset 0 is mapped; 0: not known
	char *gnu, *go;	     // owned: build ids, or NULL
	Elf64_Ehdr head;     // valid if has_head
	const uint8_t *phdr; // its program headers in memory, head.e_phnum of them; NULL: not there
	gh_addr first_vaddr; // link-time address of base (valid if phdr)
	bool has_head;
};

void gh_identity_deinit(struct gh_identity *id);
#define _cleanup_identity_ __attribute__((cleanup(gh_identity_deinit)))

/** Read the ELF header and the notes of the object loaded at id->base. What is missing stays NULL.
 */
void gh_identity_read(const struct gh_memory *memory, struct gh_identity *id);

/** The Go build id that stands in the text of a mapped file. Owned by the caller; NULL: none. */
char *gh_go_id_in_text(const struct gh_target *target, const struct gh_memory *memory,
		       const char *path);
