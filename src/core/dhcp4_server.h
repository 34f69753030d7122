/* RFC 2131's server as one function: a message in, a plan out.
 *
 * dhcp4_plan() changes the lease table and nothing else; it sends nothing and
 * waits for nothing.  A plan that names a lease must be committed to the store
 * before its reply leaves.
 * RFC 2131 4.1 to 4.3, 3396, 3046, 3527, 5107, 6842.
 */
#pragma once

#include "core/clients.h"
#include "core/dhcp4_boot.h"
#include "core/lease.h"
#include "core/machine_table.h"
#include "core/rates.h"

/* How the message came in. */
struct dhcp4_rx {
	unsigned ifindex;
	struct ip4 source;
	uint16_t source_port;
	struct ip4 local; /* the address of ours that it was sent to, or the interface's first */
	bool on_pxe_port; /* it came to port 4011 */
};

enum dhcp4_dest {
	DHCP4_TO_RELAY,     /* giaddr, port 67 */
	DHCP4_TO_ADDRESS,   /* a client that has its address: ciaddr, port 68 */
	DHCP4_TO_BROADCAST, /* 255.255.255.255, port 68 */
	DHCP4_TO_FRAME,     /* yiaddr at chaddr: it cannot answer ARP yet */
	DHCP4_TO_SOURCE,    /* address and port that the request came from, from port 4011 */
};

struct dhcp4_plan {
	enum drop drop;           /* not DROP_NONE: no reply */
	struct facts facts;       /* valid also with a drop, as far as it was read */
	struct answer answer;     /* valid with a reply of type OFFER or ACK */
	const struct served *net; /* NULL: none */
	struct lease *lease;      /* changed, or the one that the reply is about; or NULL */
	bool commit;              /* the lease must be in the store before the reply leaves */
	bool probe;               /* its address is asked for on the wire before the reply leaves */
	unsigned delay_ms;        /* the reply leaves so much later than it could */
	enum dhcp4_type reply_type;
	struct dhcp4_out out;
	size_t max_size; /* octets of UDP payload that the client takes */
	enum dhcp4_dest dest;
	struct ip4 dest_addr;
	struct ip4 server;    /* source address and server identifier */
	const char *note;     /* why a NAK, or what a silent message did; or NULL */
	struct span bootfile; /* as sent, without its NUL; empty: none */
	struct form_choice
		form;     /* of the boot answer; without a quirk: there are none for this client */
	struct ip4 heard; /* the address that it has, or will have, from another server; or 0 */
};

struct dhcp4_server {
	const struct config *cfg;
	const struct served_set *nets;
	struct lease_table *leases;
	struct forms *forms;                  /* NULL: each machine gets the likeliest form */
	struct clients *clients;              /* what is remembered of machines; NULL: nothing */
	const struct machine_table *machines; /* their states; NULL: none are known */
	struct rates *rates;                  /* NULL: none */
	int64_t now_ms;                       /* monotonic, for clients and rates */
	/* Nothing can be stored now: who has a stored lease is told what is left of
	 * it, nobody is promised anything new. */
	bool store_failing;
};

/* Plans the answer to a decoded message from a client.  Values of the reply
 * live in a, or are borrowed from msg. */
void dhcp4_plan(const struct dhcp4_server *srv, const struct dhcp4_msg *msg,
	const struct dhcp4_rx *rx, int64_t now_s, struct arena *a, struct dhcp4_plan *ret_plan);
