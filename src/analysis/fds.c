// SPDX-License-Identifier: Apache-2.0
// See fds.h.
#include "analysis/fds.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "target/procfs.h"

static void ask_proc(const struct gh_fds *fds, struct gh_fd *ret)
{
	const struct gh_target *target = fds->session->target;
	char text[PATH_MAX];
	uint64_t inode;

	if (!target->snapshot || !target->pid ||
	    !gh_proc_descriptor(target->pid, ret->fd, text, sizeof(text)))
		return;
	ret->kind = strncmp(text, "pipe:", 5) == 0     ? GH_DESCRIPTOR_PIPE
		    : strncmp(text, "socket:", 7) == 0 ? GH_DESCRIPTOR_SOCKET
		    : text[0] == '/'		       ? GH_DESCRIPTOR_FILE
						       : GH_DESCRIPTOR_UNKNOWN;
	if (sscanf(text, "socket:[%" SCNu64 "]", &inode) == 1)
		gh_proc_socket(target->pid, inode, text, sizeof(text));
	ret->path = gh_arena_strndup(fds->arena, text, strlen(text));
}

static struct gh_error *load_files(struct gh_fds *fds)
{
	struct gh_error *err = gh_session_spans(fds->session);

	fds->has_files = true;
	if (err && err->code != GH_ERR_CANCELLED && err->code != GH_ERR_NOMEM) {
		gh_error_destroy(err); // without a heap nobody says
		return NULL;
	}
	return err ? err
		   : gh_open_files_load(fds->session->rt, &fds->session->heap->table, &fds->files);
}

static struct gh_error *ask_heap(struct gh_fds *fds, struct gh_fd *ret)
{
	_cleanup_(gh_descriptor_deinit) struct gh_descriptor found = {0};
	struct gh_error *err = fds->has_files ? NULL : load_files(fds);

	if (err || !gh_open_files_find(fds->session->rt, &fds->files, ret->fd, &found))
		return err;
	ret->kind = found.kind;
	if (found.name.len)
		ret->path = gh_arena_strndup(fds->arena, gh_strbuf_str(&found.name),
					     found.name.len);
	return NULL;
}

struct gh_error *gh_fds_find(struct gh_fds *fds, uint64_t fd, struct gh_fd *ret)
{
	uint32_t known = gh_offset_map_get(&fds->by_fd, fd);
	struct gh_fd found = {.fd = fd};
	struct gh_error *err;

	if (known) {
		*ret = fds->known.data[known - 1];
		return NULL;
	}
	err = ask_heap(fds, &found);
	if (!err && found.kind == GH_DESCRIPTOR_UNKNOWN)
		ask_proc(fds, &found);
	if (!err && (!gh_fd_vec_push(&fds->known, found) ||
		     !gh_offset_map_put(&fds->by_fd, fd, (uint32_t)fds->known.len)))
		err = gh_error_nomem();
	*ret = found;
	return err;
}

void gh_fds_deinit(struct gh_fds *fds)
{
	gh_open_file_vec_deinit(&fds->files);
	gh_fd_vec_deinit(&fds->known);
	gh_offset_map_deinit(&fds->by_fd);
}
