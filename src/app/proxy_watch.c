/* Packet sockets on the client port of proxy networks. */
#include "app/proxy_watch.h"

#include "app/ports.h"
#include "edge/dhcp4_socket.h"

#include <errno.h>
#include <stdlib.h>

#define SERVERS_MAX 32u /* told; those past it are not */
#define BATCH_MAX   16

struct proxy_watch {
	struct site *site;
	struct ports ports;
	struct ip4 told[SERVERS_MAX];
	size_t n_told;
};

static bool is_new(struct proxy_watch *w, struct ip4 server)
{
	for (size_t i = 0; i < w->n_told; i++)
		if (ip4_eq(w->told[i], server))
			return false;
	if (w->n_told == SERVERS_MAX)
		return false;
	w->told[w->n_told++] = server;
	return true;
}

static void on_reply(struct proxy_watch *w, const struct served *net, const struct dhcp4_msg *m,
	struct ip4 source)
{
	struct ip4 server = source;
	struct vendor_class class;

	(void)dhcp4_opt_ip4(m, OPT_SERVER_ID, &server);
	vendor_class_parse(m->opt[OPT_VENDOR_CLASS], &class);
	if (ip4_eq(server, net->server) || class.kind == VENDOR_NONE || !is_new(w, server))
		return;
	if (m->yiaddr.v == 0)
		log_say(w->site->log, LOG_WARNING, "net",
			"%s: another proxyDHCP server, %s, answers there too: machines may take its answer; let one of the two serve",
			net->cfg->name, ip4_str(server).s);
	else
		log_say(w->site->log, LOG_WARNING, "net",
			"%s: the DHCP server %s sends option 60 \"%s\" itself: UEFI firmware then ignores our answers; remove that option there (vendor-class-identifier, dnsmasq: dhcp-option=60 or pxe-service), or let its next-server be %s",
			net->cfg->name, ip4_str(server).s,
			class.kind == VENDOR_PXE ? "PXEClient" : "HTTPClient",
			ip4_str(net->server).s);
}

static const struct served *network_of(const struct proxy_watch *w, int fd)
{
	const struct served_set *nets = w->site->nets;

	for (size_t i = 0; i < nets->n; i++)
		if (nets->list[i].ifindex && ports_find(&w->ports, nets->list[i].ifindex) == fd)
			return &nets->list[i];
	return NULL;
}

static void on_readable(void *ctx, int fd)
{
	struct proxy_watch *w = ctx;
	const struct served *net = network_of(w, fd);
	struct arena a;
	uint8_t buf[2048];

	arena_init(&a, 16384);
	for (int i = 0; i < BATCH_MAX; i++) {
		struct dhcp4_msg m;
		struct frame4 f;
		int r = dhcp4_socket_recv_frame(fd, buf, sizeof(buf), &f);

		if (r < 0 && r != -EBADMSG)
			break;
		if (r == 0 && net && f.src_port == DHCP4_SERVER_PORT &&
			dhcp4_decode(&a, f.payload, &m) == DROP_NONE && m.op == DHCP4_BOOTREPLY &&
			(m.type == DHCP4_OFFER || m.type == DHCP4_ACK))
			on_reply(w, net, &m, f.src);
		arena_reset(&a);
	}
	arena_free(&a);
}

static bool wants(const struct network *net)
{
	return net->dhcp == DHCP_PROXY;
}

static int open_port(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd)
{
	(void)ctx;
	(void)name;
	(void)beside;
	return dhcp4_socket_open_listener(ifindex, DHCP4_CLIENT_PORT, ret_fd);
}

int proxy_watch_new(uv_loop_t *loop, struct site *site, struct proxy_watch **ret)
{
	struct proxy_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->site = site;
	w->ports = (struct ports){ .loop = loop,
		.ctx = w,
		.open = open_port,
		.readable = on_readable,
		.closed = free,
		.wants = wants };
	*ret = w;
	return 0;
}

void proxy_watch_update(struct proxy_watch *w)
{
	/* Without such a socket nothing is lost but the advice. */
	(void)ports_update(&w->ports, w->site->nets, false);
}

void proxy_watch_close(struct proxy_watch *w)
{
	if (w)
		ports_close(&w->ports);
}
