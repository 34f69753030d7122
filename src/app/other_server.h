/* Asks once on a wire whether another DHCP server answers there.
 *
 * Two servers that do not know of each other are the commonest reason why a
 * machine boots something else; so the log says it at the start.
 */
#pragma once

#include "app/site.h"

#define OTHER_SERVER_WAIT_MS 2000
/* In a proxy network: dnsmasq pings an address for 3 s before it offers it. */
#define OTHER_SERVER_PROXY_WAIT_MS 5000

struct probe;

/* Sends one DISCOVER on the network's interface and listens for offers; the
 * outcome goes to the log.  Does nothing where it cannot.  *list (NULL at first)
 * holds the probes under way and must outlive them. */
void other_server_probe(
	uv_loop_t *loop, struct log *log, const struct served *net, struct probe **list);
/* Ends them all without a word. */
void other_server_stop(struct probe **list);
