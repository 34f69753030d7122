/* What a client would be told: the daemon's own path, run dry.
 *
 * Builds the message that such a client would send and plans its answer against
 * an empty lease table.  Opens the loaders to see whether they are there; sends
 * nothing and changes nothing.
 */
#pragma once

#include "core/dhcp4_server.h"
#include "wire/dhcp4_options.h"

struct explain_question {
	bool has_mac;
	struct mac mac;
	bool has_arch;
	uint16_t arch;
	const char *vendor_class, *user_class; /* or NULL */
	bool has_uuid;
	struct uuid uuid; /* as written, in text order */
	struct ip4 giaddr; /* 0: on the first network of an interface */
};

struct explanation {
	struct config *cfg;          /* borrowed from the caller */
	struct served_set *nets;
	struct dhcp4_msg msg;
	struct dhcp4_plan plan;
	bool not_here;    /* the network's interface has no address here: server is 0.0.0.0 */
	struct text bootfile;
	struct arena arena;
	struct lease_table *leases;
};

/* -errno, -ENOMEM.  explain_free() in any case. */
int explain(struct config *cfg, const struct explain_question *q, struct explanation *ret) WARN_UNUSED;
void explain_free(struct explanation *e);
