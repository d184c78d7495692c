// SPDX-License-Identifier: Apache-2.0
// System calls of Linux: names, and what kind of thing each waits for.
#pragma once

#include "base/defs.h"

enum gh_syscall_kind {
	GH_SYSCALL_OTHER,
	GH_SYSCALL_READ,
	GH_SYSCALL_WRITE,
	GH_SYSCALL_SYNC, // data to reach the disk
	GH_SYSCALL_NETWORK,
	GH_SYSCALL_FILES, // names and attributes of files
	GH_SYSCALL_FILE_LOCK,
	GH_SYSCALL_CHILD, // a process to end
	GH_SYSCALL_FUTEX, // a lock or a condition
	GH_SYSCALL_SLEEP,
	GH_SYSCALL_POLL,
	GH_SYSCALL_DEVICE,
};

enum { GH_SYSCALLS_ARM64 = 295, GH_SYSCALLS_COMMON_FIRST = 424, GH_SYSCALLS_COMMON = 39 };
/** By number; NULL: none. */
extern const char *const gh_syscalls_arm64[GH_SYSCALLS_ARM64];
/** By number, less the first one. */
extern const char *const gh_syscalls_common[GH_SYSCALLS_COMMON];

/** By number, for EM_X86_64 and EM_AARCH64; NULL: not known. */
const char *gh_syscall_name(uint16_t machine, uint64_t number);

/** By the function of package syscall that makes it: "write" of "syscall.write". NULL: none. */
const char *gh_syscall_of_function(const char *function);

/** By name (NULL: OTHER). *has_fd_ret: the first argument is a file descriptor. */
enum gh_syscall_kind gh_syscall_kind_of(const char *name, bool *has_fd_ret);
