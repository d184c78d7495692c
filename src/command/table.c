// SPDX-License-Identifier: Apache-2.0
// All commands, in the order of an investigation. A new one is a file cmd_NAME.c with its const
// object gh_cmd_NAME, and one row here.
#include "command/command.h"

// clang-format off
#define COMMANDS(X) \
	X(info) \
	X(suspects) \
	X(top) \
	X(objects) \
	X(obj) \
	X(refs) \
	X(referrers) \
	X(find) \
	X(retained) \
	X(dom) \
	X(path) \
	X(paths) \
	X(roots) \
	X(spans) \
	X(memstats) \
	X(goroutines) \
	X(goroutine) \
	X(leaks) \
	X(locks) \
	X(conns) \
	X(timers) \
	X(defers) \
	X(threads) \
	X(chans) \
	X(doctor) \
	X(next) \
	X(help)
// clang-format on

#define X(name) extern const struct gh_command gh_cmd_##name;
COMMANDS(X)
#undef X

static const struct gh_command *const commands[] = {
#define X(name) &gh_cmd_##name,
	COMMANDS(X)
#undef X
};

const struct gh_command *const *gh_commands(size_t *n_ret)
{
	*n_ret = GH_ARRAY_SIZE(commands);
	return commands;
}

const struct gh_command *gh_command_find(const char *name)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

struct gh_error *gh_command_unknown(const char *name)
{
	const char *names[GH_ARRAY_SIZE(commands) + 1] = {0};
	const char *nearest;

	for (size_t i = 0; i < GH_ARRAY_SIZE(commands); i++)
		names[i] = commands[i]->name;
	nearest = gh_nearest(name, names);
	if (nearest)
		return gh_error_create(GH_ERR_USAGE, "there is no command '%s': did you mean %s?",
				       name, nearest);
	return gh_error_create(GH_ERR_USAGE,
			       "there is no command '%s': `goheap help` lists what there is", name);
}
