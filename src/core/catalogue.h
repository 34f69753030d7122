/* The catalogue of images: what can be fetched from where, and what proves it.
 *
 * A YAML file of `images`, each with the URLs of its kernel and initrds, and for each
 * file a digest, or a chain of lists of digests (`sums`): the first one is signed
 * where `keyring` says by whom, else it must come by https; each of the others is
 * proven by the one before.
 * Pure: fetches nothing.
 */
#pragma once

#include "base/arena.h"
#include "core/config_load.h"
#include "core/sums.h"

#define CATALOGUE_SUMS_MAX    4u
#define CATALOGUE_INITRDS_MAX 16u

struct catalogue_file {
	const char *url;
	const char *name; /* in the image's directory: the last part of its URL */
	bool has_sha256;
	struct sha256 sha256;
};

struct catalogue_image {
	const char *name;
	const char *title; /* "" when none */
	enum arch arch;
	struct catalogue_file kernel;
	struct catalogue_file *initrds;
	size_t n_initrds;
	const char *sums[CATALOGUE_SUMS_MAX];
	size_t n_sums;
	const char *
		signature; /* URL of the first list's detached signature, or NULL: it holds its own */
	const char *keyring; /* on this machine; NULL: the first list is not signed */
	const char *cmdline; /* "" when none */
	struct src_pos pos;
};

struct catalogue {
	struct catalogue_image *images;
	size_t n_images;
	struct arena arena; /* owns all of the above */
};

/* 0; -EINVAL with at least one error in errs; -ENOMEM. */
int catalogue_load(
	struct span source, struct config_errors *errs, struct catalogue *ret) WARN_UNUSED;
void catalogue_free(struct catalogue *c);
/* By name, or NULL; then *ret_near is a name that was perhaps meant, or NULL. */
const struct catalogue_image *catalogue_find(
	const struct catalogue *c, const char *name, const char **ret_near);
