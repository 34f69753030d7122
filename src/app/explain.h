/* What a client would be told: the daemon's own path, run dry.
 *
 * Plans the answer to the message that such a client would send, or to one that was
 * captured, against tables of its own, empty at first, where a capture's leases
 * stay from one message to the next.  Opens the loaders to see whether they are
 * there; sends nothing, and neither asks nor changes a running daemon.
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
	struct uuid uuid;  /* as written, in text order */
	struct ip4 giaddr; /* 0: on the first network of an interface */
};

/* What explanations have in common. */
struct explainer {
	struct config *cfg; /* borrowed from the caller */
	struct served_set *nets;
	struct lease_table *leases;
	struct clients *clients;
	unsigned ifindex; /* that messages come in on: of the first network here, or 0 */
};

struct explanation {
	const struct config *cfg;
	unsigned packet; /* of the capture; 0: of none */
	struct dhcp4_msg msg;
	struct dhcp4_plan plan;
	bool not_here; /* the network's interface has no address here: server is 0.0.0.0 */
	struct text bootfile;
	struct ip4 address;      /* that it would get; 0: none */
	struct text address_why; /* or why none; empty: there is nothing to say */
	struct arena arena;
};

/* Takes one explanation; false: enough. */
typedef bool (*explain_each)(void *ctx, const struct explanation *e);

/* -errno, -ENOMEM.  explainer_close() in any case. */
int explainer_open(struct config *cfg, struct explainer *ret) WARN_UNUSED;
void explainer_close(struct explainer *x);

/* What a client that sends a DHCPDISCOVER would be told.  -ENOMEM.
 * explanation_free() in any case. */
int explain_question(
	struct explainer *x, const struct explain_question *q, struct explanation *ret) WARN_UNUSED;
void explanation_free(struct explanation *e);

struct explain_capture {
	unsigned packets, requests;
	unsigned not_ethernet; /* packets of other links, passed over */
	bool is_broken;        /* the file ends inside a packet */
};

/* What each DHCPv4 request of a capture (pcap, pcapng) would be told, in its order.
 * -EINVAL: it is no capture.  -ENOMEM. */
int explain_capture(struct explainer *x, struct span file, explain_each each, void *ctx,
	struct explain_capture *ret) WARN_UNUSED;
