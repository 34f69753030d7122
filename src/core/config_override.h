/* The command line's word over the file's, and a configuration without a file.
 *
 * Applied once, to a configuration that nobody else has seen yet.
 */
#pragma once

#include "core/config.h"

struct config_override {
	const char *const *interfaces; /* -i: serve these interfaces only (and relayed networks) */
	size_t n_interfaces;
	bool proxy; /* --proxy: the networks of -i, or of the file, are proxy networks */
	const char *http_root, *tftp_root, *profile, *state_dir,
		*control_socket; /* NULL: the file's */
	const char *boot_kernel; /* `bootsmith boot`: a file of this machine, or a URL; or NULL */
	const char *const *boot_initrds;
	size_t n_boot_initrds;
	const char *boot_cmdline;
};

#define CONFIG_MESSAGE_MAX 256

/* -EINVAL with a sentence in ret_message; -ENOMEM. */
int config_override_apply(struct config *cfg, const struct config_override *o,
	char ret_message[static CONFIG_MESSAGE_MAX]) WARN_UNUSED;
