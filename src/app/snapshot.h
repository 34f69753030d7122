/* One configuration in force, the networks as they are served now and the files
 * that it names: immutable, counted, shared by all threads.
 *
 * The main thread makes a new one whenever something changes and hands it to the
 * others by letter; the last that lets go frees it.  The roots are not here: a
 * root that is missing is looked for again, so each thread has its own
 * (app/roots.h).
 */
#pragma once

#include "app/https_files.h"
#include "core/served.h"

#include <sys/stat.h>

/* What was made of the files that the configuration names. */
struct site_files {
	int loader[FAMILY_COUNT][ARCH_COUNT]; /* -1: missing */
	int *named;                           /* as cfg->named_files */
	size_t n_named;
	struct ssl_ctx_st *tls;       /* NULL: no HTTPS */
	struct tls_report tls_report; /* warnings about its files */
};

struct snapshot_setup; /* configuration and files: what a new view of the interfaces keeps */

struct snapshot {
	const struct config *cfg;
	const struct site_files *files;
	const struct served_set *nets;
	struct snapshot_setup *setup;
	unsigned refs; /* atomic */
};

/* Opens the loaders and named files of cfg and marks the loaders that are present
 * in it; of a default's places, the first where something is.  -ENOENT or -EINVAL with *ret_missing (borrowed from cfg): a named file,
 * without which there is nothing to serve, or a certificate gone bad since the check. */
int site_files_open(
	struct config *cfg, struct site_files *ret, const char **ret_missing) WARN_UNUSED;
void site_files_close(struct site_files *f);

/* Opens a loader where the configuration says, or in the first of its usual places
 * where there is one; *ret_path (borrowed) is which, as in the configuration.  -ENOENT, …. */
int site_loader_open(const struct config *cfg, enum loader_family f, enum arch a,
	const char **ret_path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* The whole path of a loader's file, in a buffer of the caller's. */
void site_loader_path(const struct config *cfg, const char *path, char *buf, size_t size);

/* One of these files once more, and its state as it is now: it may have been
 * written anew since.  -ENOENT for -1, else -errno. */
int site_open_again(int file, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* With one reference.  On success all three move into it. */
int snapshot_new(struct config *cfg, const struct site_files *files, struct served_set *nets,
	struct snapshot **ret) WARN_UNUSED;
/* The same configuration, other networks. */
int snapshot_new_nets(
	const struct snapshot *old, struct served_set *nets, struct snapshot **ret) WARN_UNUSED;

struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is fine */
