// SPDX-License-Identifier: Apache-2.0
// Files: see file.h.
#include "target/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/unpack.h"

enum { READ_MAX = 1 << 30 }; // a read of 2 GiB or more comes back short

static const struct {
	const char *magic;
	uint8_t len;
	const char *text;
} magics[] = {
#define M(magic, text)                                                                             \
	{                                                                                          \
		magic, sizeof(magic) - 1, text                                                     \
	}
	M("\x28\xb5\x2f\xfd", "it is compressed with zstd: decompress it first: zstd -d FILE"),
	M("\x1f\x8b", "it is compressed with gzip: decompress it first: gunzip FILE"),
	M("\xfd"
	  "7zXZ",
	  "it is compressed with xz: decompress it first: unxz FILE"),
	M("\x04\x22\x4d\x18", "it is compressed with lz4: decompress it first: lz4 -d FILE"),
	M("BZh", "it is compressed with bzip2: decompress it first: bunzip2 FILE"),
	M("PK\x03\x04", "it is a zip archive: unpack it first"),
	M("#!", "it is a script"),
	M("MZ", "it is a Windows executable or minidump: only ELF is read"),
	M("MDMP", "it is a minidump: only ELF cores are read"),
	M("\xcf\xfa\xed\xfe", "it is a Mach-O file: only ELF is read"),
	M("!<arch>", "it is an archive of object files"),
	M("go1.7 heap dump", "it is a heap dump of runtime/debug.WriteHeapDump, not a core"),
#undef M
};

const char *gh_file_describe(const void *head, uint64_t len)
{
	const uint8_t *bytes = head;
	uint64_t n = gh_min_u64(len, 512), zeros = 0, odd = 0;

	if (len == 0)
		return "it is empty: was the disk full?";
	for (size_t i = 0; i < GH_ARRAY_SIZE(magics); i++)
		if (len >= magics[i].len && !memcmp(bytes, magics[i].magic, magics[i].len))
			return magics[i].text;
	for (uint64_t i = 0; i < n; i++) {
		zeros += bytes[i] == 0;
		odd += bytes[i] < 32 && (bytes[i] < 7 || bytes[i] > 13) && bytes[i] != 27;
	}
	if (zeros == n)
		return "it begins with zeros: was the dump cut short or the disk full?";
	return odd ? "it is not an ELF file, as cores and executables are"
		   : "it is a text file, neither a core nor an executable";
}

enum { BLOCK_BYTES = 512 }; // of stat's st_blocks

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "it is a directory: name a file in it";
	case S_IFIFO:
		return "it is a FIFO: save it to a file first";
	case S_IFSOCK:
		return "it is a socket";
	default:
		return "it is a device";
	}
}

/* Copy what the file holds into zeroed memory, stepping over its holes. */
static bool copy_data(const struct gh_file *file, uint8_t *to)
{
	uint64_t pos = 0;

	while (pos < file->size) {
		off_t data = lseek(file->fd, (off_t)pos, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(file->fd, data, SEEK_HOLE);
		uint64_t end;

		if (data < 0 && errno == ENXIO) // only a hole up to the end
			return true;
		if (data < 0 || hole <= data) // a file system that knows of no holes
			return gh_file_read(file, pos, to + pos, file->size - pos);
		pos = gh_min_u64((uint64_t)data, file->size);
		end = gh_min_u64((uint64_t)hole, file->size);
		if (!gh_file_read(file, pos, to + pos, end - pos))
			return false;
		pos = end;
	}
	return true;
}

/* Bytes that a copy takes: holes of the file stay holes. */
static uint64_t copy_bytes(const struct gh_file *file)
{
	struct stat st;

	return fstat(file->fd, &st) < 0
		       ? file->size
		       : gh_min_u64(file->size, (uint64_t)st.st_blocks * BLOCK_BYTES);
}

static struct gh_error *load(struct gh_file *file, const struct gh_file_options *options)
{
	enum gh_file_mode mode = options->mode;
	int flags = MAP_PRIVATE | MAP_NORESERVE | (mode == GH_FILE_MAP ? 0 : MAP_ANONYMOUS);
	int prot = mode == GH_FILE_MAP ? PROT_READ : PROT_READ | PROT_WRITE;
	void *p;

	if (mode == GH_FILE_PIECE)
		return NULL;
	if (file->size > SIZE_MAX / 2)
		return gh_error_create(GH_ERR_LIMIT, "cannot read %s: it is too large", file->path);
	if (mode == GH_FILE_COPY &&
	    !gh_budget_take(options->budget, copy_bytes(file), "a copy of a file (--no-mmap)"))
		return gh_error_nomem();
	p = mmap(NULL, file->size, prot, flags, mode == GH_FILE_MAP ? file->fd : -1, 0);
	if (p == MAP_FAILED)
		return gh_error_errno(errno, "cannot map %s", file->path);
	if (mode == GH_FILE_COPY && !copy_data(file, p)) {
		munmap(p, file->size);
		return gh_error_create(GH_ERR_IO, "cannot read %s: it ends early or the disk fails",
				       file->path);
	}
	// unmapping then marks no page as one that is used: cheaper, and the host keeps its others
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_NOREUSE);
	file->bytes = p;
	file->mapped = mode == GH_FILE_MAP;
	return NULL;
}

/* Let a compressed file's contents stand in for it. */
static struct gh_error *unpack(struct gh_file *file, const struct gh_file_options *options)
{
	uint8_t head[8];
	ssize_t n = pread(file->fd, head, sizeof(head), 0);
	const struct gh_codec *codec = n > 0 ? gh_codec_of(head, (uint64_t)n) : NULL;
	struct gh_error *err;
	struct stat st;
	int fd;

	if (!codec)
		return NULL;
	err = gh_unpack(codec, file->path, file->fd, options->scratch, options->poll, &fd,
			&file->note);
	if (err)
		return err;
	close(file->fd);
	file->fd = fd;
	if (fstat(fd, &st) < 0)
		return gh_error_errno(errno, "cannot examine %s unpacked", file->path);
	file->size = (uint64_t)st.st_size;
	return NULL;
}

struct gh_error *gh_file_open(const char *path, const struct gh_file_options *options,
			      struct gh_file *ret)
{
	/* O_NONBLOCK: a FIFO must not hang us; it means nothing for regular files. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct gh_file file = {.fd = -1};
	struct gh_error *err;
	struct stat st;

	if (fd < 0)
		return gh_error_errno(errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return gh_error_errno(errno, "cannot examine %s", path);
	if (!S_ISREG(st.st_mode))
		return gh_error_create(GH_ERR_FORMAT, "cannot use %s: %s", path,
				       kind_of(st.st_mode));
	if (st.st_size <= 0)
		return gh_error_create(GH_ERR_FORMAT, "cannot use %s: it is empty: was the disk full?",
				       path);
	file.path = strdup(path);
	if (!file.path)
		return gh_error_nomem();
	file.fd = fd;
	file.size = (uint64_t)st.st_size;
	fd = -1;
	err = unpack(&file, options);
	if (!err)
		err = load(&file, options);
	if (err) {
		gh_file_deinit(&file);
		return err;
	}
	*ret = file;
	return NULL;
}

void gh_file_deinit(struct gh_file *file)
{
	if (file->bytes)
		munmap((void *)file->bytes, file->size);
	if (file->path && file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->note);
	*file = (struct gh_file){.fd = -1};
}

bool gh_file_is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool gh_file_read(const struct gh_file *file, uint64_t offset, void *to, uint64_t len)
{
	uint64_t end;

	if (gh_add(offset, len, &end) || end > file->size)
		return false;
	if (file->bytes) {
		memcpy(to, file->bytes + offset, len);
		return true;
	}
	while (len) {
		ssize_t n = pread(file->fd, to, gh_min_u64(len, READ_MAX), (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to = (char *)to + n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return true;
}

struct gh_error *gh_file_check(const struct gh_file *file)
{
	struct stat st;

	if (!file->path)
		return NULL;
	if (fstat(file->fd, &st) < 0)
		return gh_error_errno(errno, "cannot examine %s", file->path);
	if ((uint64_t)st.st_size < file->size)
		return gh_error_create(
			GH_ERR_IO,
			"cannot go on: %s shrank from %llu to %llu bytes while in use: "
			"restore it and open it again",
			file->path, (unsigned long long)file->size, (unsigned long long)st.st_size);
	return NULL;
}
