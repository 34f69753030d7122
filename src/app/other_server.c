/* A DHCP client for one DISCOVER: takes no address. */
#include "app/other_server.h"

#include "edge/clock.h"
#include "edge/dhcp4_socket.h"

#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#define SERVERS_MAX 4u

struct probe {
	struct probe **list, *next; /* of those under way */
	struct log *log;
	char name[64];
	unsigned ifindex;
	bool proxy; /* we serve beside one: its absence is what needs a word */
	struct ip4 own;
	struct mac mac;
	uint32_t xid;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles;
	struct ip4 seen[SERVERS_MAX];
	size_t n_seen;
};

static void on_closed(uv_handle_t *h)
{
	struct probe *p = h->data;

	if (--p->open_handles > 0)
		return;
	close(p->fd);
	free(p);
}

static void end(struct probe *p)
{
	LL_DELETE(*p->list, p);
	uv_close((uv_handle_t *)&p->poll, on_closed);
	uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void finish(uv_timer_t *t)
{
	struct probe *p = t->data;

	if (p->n_seen == 0 && p->proxy)
		log_say(p->log, LOG_WARNING, "net",
			"%s: no DHCP server answers there (one on this host cannot be heard): a proxy gives no addresses, so start one, or serve without --proxy (dhcp: server)",
			p->name);
	else if (p->n_seen == 0)
		log_say(p->log, LOG_INFO, "net", "%s: no other DHCP server answers there", p->name);
	end(p);
}

static void on_offer(struct probe *p, const struct dhcp4_msg *m, struct ip4 source)
{
	struct ip4 server = source;

	(void)dhcp4_opt_ip4(m, OPT_SERVER_ID, &server);
	if (ip4_eq(server, p->own) || p->n_seen == SERVERS_MAX)
		return;
	for (size_t i = 0; i < p->n_seen; i++)
		if (ip4_eq(p->seen[i], server))
			return;
	p->seen[p->n_seen++] = server;
	if (p->proxy) {
		log_say(p->log, LOG_INFO, "net", "%s: the DHCP server %s gives the addresses there",
			p->name, ip4_str(server).s);
		return;
	}
	log_say(p->log, LOG_WARNING, "net",
		"%s: another DHCP server, %s, answers there too: machines may take its answer; let one of the two serve",
		p->name, ip4_str(server).s);
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct probe *p = h->data;
	struct arena a;
	struct frame4 f;
	struct dhcp4_msg m;
	uint8_t buf[2048];

	(void)events;
	if (status < 0 || dhcp4_socket_recv_frame(p->fd, buf, sizeof(buf), &f) < 0)
		return;
	arena_init(&a, 16384);
	if (dhcp4_decode(&a, f.payload, &m) == DROP_NONE && m.op == DHCP4_BOOTREPLY &&
		m.xid == p->xid && m.type == DHCP4_OFFER)
		on_offer(p, &m, f.src);
	arena_free(&a);
}

static int send_discover(const struct probe *p)
{
	static const uint8_t type = DHCP4_DISCOVER, wanted[] = { OPT_SUBNET_MASK, OPT_ROUTER };
	struct dhcp4_out out = { .op = DHCP4_BOOTREQUEST,
		.htype = DHCP4_HTYPE_ETHERNET,
		.hlen = 6,
		.xid = p->xid,
		.flags = DHCP4_FLAG_BROADCAST };
	struct frame4 f = { .src_mac = p->mac,
		.dst = { 0xffffffffu },
		.src_port = DHCP4_CLIENT_PORT,
		.dst_port = DHCP4_SERVER_PORT };
	uint8_t buf[576];
	struct wr w = wr_of(buf, sizeof(buf));
	int fd, r;

	memset(f.dst_mac.b, 0xff, sizeof(f.dst_mac.b));
	memcpy(out.chaddr, p->mac.b, sizeof(p->mac.b));
	dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, (struct span){ &type, 1 });
	dhcp4_out_add(&out, OPT_PARAMETER_LIST, true, (struct span){ wanted, sizeof(wanted) });
	r = dhcp4_encode(&out, sizeof(buf), &w);
	if (r < 0)
		return r;
	f.payload = wr_done(&w);
	r = dhcp4_socket_open_raw(&fd);
	if (r < 0)
		return r;
	r = dhcp4_socket_send_frame(fd, p->ifindex, &f);
	close(fd);
	return r;
}

void other_server_probe(
	uv_loop_t *loop, struct log *log, const struct served *net, struct probe **list)
{
	struct probe *p = net->ifindex ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return;
	p->log = log;
	p->ifindex = net->ifindex;
	p->own = net->server;
	p->proxy = net->cfg->dhcp == DHCP_PROXY;
	p->mac = net->mac;
	/* Nobody gains by guessing it. */
	p->xid = (uint32_t)clock_mono_us() ^ (uint32_t)getpid() << 16;
	strncpy(p->name, net->cfg->name, sizeof(p->name) - 1);
	if (dhcp4_socket_open_listener(p->ifindex, DHCP4_CLIENT_PORT, &p->fd) < 0) {
		free(p);
		return;
	}
	if (send_discover(p) < 0 || uv_poll_init(loop, &p->poll, p->fd) < 0) {
		close(p->fd);
		free(p);
		return;
	}
	(void)uv_timer_init(loop, &p->timer);
	p->poll.data = p->timer.data = p;
	p->open_handles = 2;
	(void)uv_poll_start(&p->poll, UV_READABLE, on_readable);
	(void)uv_timer_start(
		&p->timer, finish, p->proxy ? OTHER_SERVER_PROXY_WAIT_MS : OTHER_SERVER_WAIT_MS, 0);
	p->list = list;
	LL_PREPEND(*list, p);
}

void other_server_stop(struct probe **list)
{
	struct probe *p, *next;

	LL_FOREACH_SAFE(*list, p, next)
		end(p);
}
