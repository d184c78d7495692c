// SPDX-License-Identifier: Apache-2.0
// System calls of Linux that have the same number on all machines: those since 2019, from 424 on
// (include/uapi/asm-generic/unistd.h). See syscalls.h.
#include "goruntime/syscalls.h"

enum { FIRST = GH_SYSCALLS_COMMON_FIRST };

const char *const gh_syscalls_common[GH_SYSCALLS_COMMON] = {
	[424 - FIRST] = "pidfd_send_signal",
	[425 - FIRST] = "io_uring_setup",
	[426 - FIRST] = "io_uring_enter",
	[427 - FIRST] = "io_uring_register",
	[428 - FIRST] = "open_tree",
	[429 - FIRST] = "move_mount",
	[430 - FIRST] = "fsopen",
	[431 - FIRST] = "fsconfig",
	[432 - FIRST] = "fsmount",
	[433 - FIRST] = "fspick",
	[434 - FIRST] = "pidfd_open",
	[435 - FIRST] = "clone3",
	[436 - FIRST] = "close_range",
	[437 - FIRST] = "openat2",
	[438 - FIRST] = "pidfd_getfd",
	[439 - FIRST] = "faccessat2",
	[440 - FIRST] = "process_madvise",
	[441 - FIRST] = "epoll_pwait2",
	[442 - FIRST] = "mount_setattr",
	[443 - FIRST] = "quotactl_fd",
	[444 - FIRST] = "landlock_create_ruleset",
	[445 - FIRST] = "landlock_add_rule",
	[446 - FIRST] = "landlock_restrict_self",
	[447 - FIRST] = "memfd_secret",
	[448 - FIRST] = "process_mrelease",
	[449 - FIRST] = "futex_waitv",
	[450 - FIRST] = "set_mempolicy_home_node",
	[451 - FIRST] = "cachestat",
	[452 - FIRST] = "fchmodat2",
	[453 - FIRST] = "map_shadow_stack",
	[454 - FIRST] = "futex_wake",
	[455 - FIRST] = "futex_wait",
	[456 - FIRST] = "futex_requeue",
	[457 - FIRST] = "statmount",
	[458 - FIRST] = "listmount",
	[459 - FIRST] = "lsm_get_self_attr",
	[460 - FIRST] = "lsm_set_self_attr",
	[461 - FIRST] = "lsm_list_modules",
	[462 - FIRST] = "mseal",
};
