/* What the services share on the main thread: the configuration in force, the
 * networks as they are served now, and what was learned of machines.
 *
 * The services read it; app/serve.c alone changes it (reload, interfaces), by
 * site_adopt().
 */
#pragma once

#include "app/events.h"
#include "app/log.h"
#include "app/snapshot.h"
#include "core/clients.h"
#include "core/dhcp4_server.h"
#include "core/ipxe_script.h"
#include "edge/disk_jobs.h"
#include "edge/store.h"

#include <uv.h>

struct serving_thread; /* app/serving_thread.h */
struct image_cache;    /* app/image_cache.h */
struct boot_api;       /* app/boot_api.h */

#define SITE_THREADS_MAX 8u

/* What the main thread has workers read; each may be a disk of its own. */
enum site_disk {
	DISK_HTTP_ROOT,
	DISK_TFTP_ROOT,
	DISK_LOADERS,
	DISK_TEMPLATES,
	DISK_PARTS, /* of images: below http.root, and copies of what was fetched */
	DISK_COUNT,
};

struct site {
	uv_loop_t *loop; /* the main thread's */
	struct log *log;
	struct events *events; /* what the log said, and progress */
	struct snapshot *now;
	const struct config *cfg;      /* of now */
	const struct served_set *nets; /* of now */
	struct disk_jobs disks
		[DISK_COUNT]; /* what waits for one of them: a line for each, so that none stops another */
	struct lease_table *leases;
	struct clients *clients;
	struct forms *forms;
	struct machine_table *machines; /* app/machine_change.c alone changes it */
	bool machines_wait;             /* some of it the store did not take: it is tried again */
	int neighbours;                 /* to ask the kernel by, edge/neighbours.h */
	struct store *store;
	struct image_cache *images;
	struct boot_api *api; /* asked where cfg->boot_api has a URL */
	const struct serving_thread
		*threads[SITE_THREADS_MAX]; /* that run, for who asks what they do */
	size_t n_threads;
	int64_t start_us; /* of the monotonic clock */
};

/* Where files by TFTP, or by HTTP, lie. */
enum site_disk site_root(enum transport t);

/* What is learned of machines, empty yet.  -errno: close it all the same. */
int site_open(struct site *s) WARN_UNUSED;
void site_close(struct site *s);

/* Puts a snapshot in force, whose reference moves in; NULL at the end of all. */
void site_adopt(struct site *s, struct snapshot *next);

/* A thread begins to serve, or ended; at most SITE_THREADS_MAX do at once. */
void site_add_thread(struct site *s, const struct serving_thread *t);
void site_remove_thread(struct site *s, const struct serving_thread *t);

/* The machine fetched a file, or runs what it fetched: the form of answer that it
 * was given works for its firmware.  Says so when that was not known. */
void site_form_worked(struct site *s, const struct facts *f);

/* Who an address is: its lease's MAC, else what was heard of it, else its MAC in the
 * kernel's neighbour table; and what DHCP told of that MAC.  Facts are filled as far as
 * they are known; false when nothing is. */
bool site_facts_of_address(struct site *s, struct ip4 a, struct facts *ret);

/* The same of a MAC; what is known of it is its MAC at least.  Its address as it was
 * last told, else asker. */
struct ip4 site_facts_of_mac(struct site *s, struct mac mac, struct ip4 asker, struct facts *ret);

/* A machine is told on its screen why there is nothing to run; the log says the same. */
void site_say_nothing_to_run(
	struct site *s, const char *topic, const struct facts *f, struct ip4 a, const char *reason);

/* Is this the address of the machine of these facts (its MAC or its UUID)?  What is known
 * of an address, as above, goes before what the configuration says of it: an address
 * that nobody was seen at is the machine's that it is configured for. */
bool site_is_machine(struct site *s, struct ip4 a, const struct facts *who);
/* The MAC by which the state of that machine is kept; f has one at least. */
struct mac site_state_key(const struct site *s, const struct facts *f);
/* boot_decide() with what the machine has been through. */
void site_decide(const struct site *s, struct facts *f, struct answer *ret);

/* How log lines call a machine: "52:54:00:12:34:56 (web1)", or its address. */
void site_machine_text(struct site *s, const struct facts *f, struct ip4 a, struct text *out);
