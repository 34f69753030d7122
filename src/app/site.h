/* What the services share: the configuration in force, the networks as they are
 * served now, the open roots and loaders, and what was learned of machines.
 *
 * The services read it; app/serve.c alone changes it (reload, interfaces).
 */
#pragma once

#include "app/log.h"
#include "core/clients.h"
#include "core/dhcp4_server.h"
#include "core/ipxe_script.h"
#include "edge/store.h"

#include <sys/stat.h>

/* The files of one configuration: descriptors that change with it. */
struct site_files {
	int http_root, tftp_root; /* -1: missing; tried again when a client asks */
	int loader[ARCH_COUNT];   /* -1: missing */
	int *named;               /* as cfg->named_files */
	size_t n_named;
};

struct site {
	struct log *log;
	struct config *cfg;
	struct site_files files;
	struct served_set *nets;
	struct lease_table *leases;
	struct clients *clients;
	struct forms *forms;
	struct store *store;
};

/* Opens the roots, loaders and named files of cfg and marks the loaders that are
 * present in it.  What is missing is left closed.  -ENOENT with *ret_missing
 * (borrowed from cfg): a named file, without which there is nothing to serve. */
int site_files_open(struct config *cfg, struct site_files *ret, const char **ret_missing) WARN_UNUSED;
void site_files_close(struct site_files *f);

/* The whole path of a loader, in a buffer of the caller's. */
void site_loader_path(const struct config *cfg, enum arch a, char *buf, size_t size);

/* One of these files once more, and its state as it is now: it may have been
 * written anew since.  -ENOENT for -1, else -errno. */
int site_open_again(int file, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* Opens a file below a root; a root that was missing is looked for again.
 * As files_open_below(); -ENOENT where there is no root. */
int site_open_http(struct site *s, struct span path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;
int site_open_tftp(struct site *s, struct span path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* The machine fetched a file, or runs what it fetched: the form of answer that it
 * was given works for its firmware.  Says so when that was not known. */
void site_form_worked(struct site *s, const struct facts *f);

/* Who an address is: its lease's MAC and what DHCP told of it.  Facts are filled
 * as far as they are known; false when nothing is. */
bool site_facts_of_address(struct site *s, struct ip4 a, struct facts *ret);

/* How log lines call a machine: "52:54:00:12:34:56 (web1)", or its address. */
void site_machine_text(struct site *s, const struct facts *f, struct ip4 a, struct text *out);
