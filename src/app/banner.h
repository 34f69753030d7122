/* What the log says of networks, roots and loaders: at the start, after a
 * reload, and when an interface comes or goes. */
#pragma once

#include "app/site.h"

/* Roots, loaders found and missing, the URL to try. */
void banner_say(struct site *site);

/* How a configured network was when it was last told. */
enum network_state {
	NETWORK_UNTOLD,
	NETWORK_SERVED,
	NETWORK_OFF,
	NETWORK_NO_INTERFACE,
	NETWORK_DOWN,
	NETWORK_NO_ADDRESS,
};

struct network_told {
	enum network_state state;
	struct ip4 server;
};

/* Tells each network whose state changed; told has one entry per configured
 * network.  Returns true for each that began to be served, by its index, in
 * began (as long as told). */
void banner_say_networks(struct site *site, const struct iface_view *ifaces, size_t n_ifaces,
	struct network_told *told, bool *began);
