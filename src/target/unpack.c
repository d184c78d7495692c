// SPDX-License-Identifier: Apache-2.0
// See unpack.h.
#include "target/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
	IN_BYTES = 1 << 20,
	OUT_BYTES = 4 << 20,
	BLOCK = 4096, // zeros of this size, aligned, become a hole
	LEAVE_FREE = 128 << 20,
};
#define MAX_UNPACKED (1ULL << 46)

static const struct gh_codec *const codecs[] = {
#ifdef GH_HAVE_ZSTD
	&gh_codec_zstd,
#endif
#ifdef GH_HAVE_ZLIB
	&gh_codec_gzip,
#endif
#ifdef GH_HAVE_LZMA
	&gh_codec_xz,
#endif
#ifdef GH_HAVE_LZ4
	&gh_codec_lz4,
#endif
	NULL,
};

const struct gh_codec *gh_codec_of(const void *head, uint64_t len)
{
	for (size_t i = 0; codecs[i]; i++)
		if (len >= codecs[i]->magic_len &&
		    memcmp(head, codecs[i]->magic, codecs[i]->magic_len) == 0)
			return codecs[i];
	return NULL;
}

struct unpacking {
	const struct gh_codec *codec;
	const char *path, *dir;
	int in, out;
	uint8_t *in_buffer, *out_buffer; // owned
	void *state;			 // owned: the codec's
	uint64_t in_size, in_at, out_at;
	bool is_damaged; // else what was not whole was cut
};

static void unpacking_deinit(struct unpacking *u)
{
	if (u->state)
		u->codec->destroy(u->state);
	free(u->in_buffer);
	free(u->out_buffer);
}

static struct gh_error *full(const struct unpacking *u)
{
	return gh_error_create(GH_ERR_LIMIT,
			       "cannot unpack %s: %s is full after %llu MiB: name a directory with "
			       "more room with --scratch DIR",
			       u->path, u->dir, (unsigned long long)(u->out_at >> 20));
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return len && p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static struct gh_error *write_run(const struct unpacking *u, const uint8_t *p, size_t len,
				  uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(u->out, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return full(u);
		if (n <= 0)
			return gh_error_errno(n ? errno : EIO, "cannot write to %s", u->dir);
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return NULL;
}

/* Blocks of zeros stay holes; what lies between them is written at once. */
static struct gh_error *write_sparse(const struct unpacking *u, const uint8_t *p, size_t len)
{
	size_t run = 0, at = 0;

	while (at < len) {
		size_t n = BLOCK - (size_t)((u->out_at + at) % BLOCK);
		struct gh_error *err;

		n = n < len - at ? n : len - at;
		if (is_zero(p + at, n)) {
			err = write_run(u, p + run, at - run, u->out_at + run);
			if (err)
				return err;
			run = at + n;
		}
		at += n;
	}
	return write_run(u, p + run, at - run, u->out_at + run);
}

/* The scratch directory belongs to others, too: leave them something. */
static bool has_room(const struct unpacking *u)
{
	struct statvfs fs;

	return fstatvfs(u->out, &fs) != 0 ||
	       (uint64_t)fs.f_bavail * fs.f_frsize > LEAVE_FREE + OUT_BYTES;
}

static struct gh_error *put(struct unpacking *u, size_t len)
{
	struct gh_error *err;

	if (!has_room(u))
		return full(u);
	if (len > MAX_UNPACKED - u->out_at)
		return gh_error_create(GH_ERR_LIMIT, "cannot unpack %s: it claims over 64 TiB",
				       u->path);
	err = write_sparse(u, u->out_buffer, len);
	u->out_at += len;
	return err;
}

/* All of one piece of input. *fine_ret false: damaged from here on. */
static struct gh_error *feed(struct unpacking *u, size_t len, bool *fine_ret, bool *done_ret)
{
	size_t at = 0, made;

	*fine_ret = true;
	do {
		size_t taken = len - at;
		struct gh_error *err;

		made = OUT_BYTES;
		*fine_ret = u->codec->step(u->state, u->in_buffer + at, &taken, u->out_buffer,
					   &made, done_ret);
		err = *fine_ret ? put(u, made) : NULL;
		if (err || !*fine_ret)
			return err;
		if (!taken && !made && at < len) { // no way on
			*fine_ret = false;
			return NULL;
		}
		at += taken;
	} while (at < len || made == OUT_BYTES);
	return NULL;
}

static struct gh_error *unpack(struct unpacking *u, const struct gh_poll *poll, bool *whole_ret)
{
	bool fine = true, done = false;

	while (fine) {
		ssize_t n = pread(u->in, u->in_buffer, IN_BYTES, (off_t)u->in_at);
		struct gh_error *err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gh_error_errno(errno, "cannot read %s", u->path);
		if (n == 0)
			break;
		err = feed(u, (size_t)n, &fine, &done);
		if (!err)
			err = gh_poll(poll, "unpacking", u->in_at, u->in_size);
		if (err)
			return err;
		u->in_at += (uint64_t)n;
	}
	u->is_damaged = !fine;
	*whole_ret = fine && done;
	return NULL;
}

static struct gh_error *open_scratch(struct unpacking *u, const char *scratch)
{
	_cleanup_free_ char *name = NULL;

	u->dir = scratch ? scratch : getenv("TMPDIR");
	if (!u->dir || !*u->dir)
		u->dir = "/var/tmp";
	u->out = open(u->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (u->out >= 0)
		return NULL;
	if (asprintf(&name, "%s/goheap-XXXXXX", u->dir) < 0) {
		name = NULL;
		return gh_error_nomem();
	}
	u->out = mkostemp(name, O_CLOEXEC);
	if (u->out < 0)
		return gh_error_errno(errno, "cannot unpack %s into %s", u->path, u->dir);
	unlink(name);
	return NULL;
}

static struct gh_error *run(struct unpacking *u, const struct gh_poll *poll, char **note_ret)
{
	bool whole = false;
	struct gh_error *err;

	u->in_buffer = malloc(IN_BYTES);
	u->out_buffer = malloc(OUT_BYTES);
	u->state = u->codec->create();
	if (!u->in_buffer || !u->out_buffer || !u->state)
		return gh_error_nomem();
	err = unpack(u, poll, &whole);
	if (err)
		return err;
	if (u->out_at == 0)
		return gh_error_create(GH_ERR_FORMAT, "cannot unpack %s: its %s data %s", u->path,
				       u->codec->name,
				       u->is_damaged ? "are damaged from the start"
						     : "end before anything could be unpacked: "
						       "copy it again, whole");
	if (ftruncate(u->out, (off_t)u->out_at) != 0)
		return gh_error_errno(errno, "cannot unpack %s into %s", u->path, u->dir);
	if (!whole &&
	    asprintf(note_ret, "%s: its %s data are cut or damaged: %llu bytes could be unpacked",
		     u->path, u->codec->name, (unsigned long long)u->out_at) < 0) {
		*note_ret = NULL;
		return gh_error_nomem();
	}
	return NULL;
}

struct gh_error *gh_unpack(const struct gh_codec *codec, const char *path, int fd,
			   const char *scratch, const struct gh_poll *poll, int *fd_ret,
			   char **note_ret)
{
	struct unpacking u = {.codec = codec, .path = path, .in = fd, .out = -1};
	struct gh_error *err;
	struct stat st;

	*note_ret = NULL;
	if (fstat(fd, &st) == 0)
		u.in_size = (uint64_t)st.st_size;
	err = open_scratch(&u, scratch);
	if (!err)
		err = run(&u, poll, note_ret);
	unpacking_deinit(&u);
	if (err && u.out >= 0)
		close(u.out);
	if (!err)
		*fd_ret = u.out;
	return err;
}
