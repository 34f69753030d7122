/* Sockets per interface, reconciled. */
#include "app/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

struct port {
	struct ports *owner;
	unsigned ifindex;
	char name[16];
	int fd;    /* -1: could not be opened yet */
	int error; /* the error that was told */
	bool wanted;
	enum dhcp_mode mode; /* of the network that it was opened for */
	uv_poll_t poll;
	struct port *next;
};

static struct port *find(const struct ports *p, unsigned ifindex)
{
	struct port *x;

	LL_FOREACH(p->list, x)
		if (x->ifindex == ifindex)
			return x;
	return NULL;
}

int ports_find(const struct ports *p, unsigned ifindex)
{
	const struct port *x = find(p, ifindex);

	if (!x || x->fd < 0)
		x = find(p, PORTS_ALL_INTERFACES);
	return x ? x->fd : -1;
}

unsigned ports_open_count(const struct ports *p)
{
	const struct port *x;
	unsigned n = 0;

	LL_FOREACH(p->list, x)
		n += x->fd >= 0;
	return n;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct port *x = h->data;

	(void)events;
	/* A packet socket has an error when its interface goes down, and libuv watches
	 * it no more; reading takes the error away.  Netlink tells whether it stays down. */
	if (status < 0)
		(void)uv_poll_start(&x->poll, UV_READABLE, on_readable);
	x->owner->readable(x->owner->ctx, x->fd);
}

static void maybe_closed(struct ports *p)
{
	if (p->stopping && p->closing == 0)
		p->closed(p->ctx);
}

static void on_closed(uv_handle_t *h)
{
	struct port *x = h->data;
	struct ports *p = x->owner;

	free(x);
	p->closing--;
	maybe_closed(p);
}

static void port_close(struct ports *p, struct port *x)
{
	LL_DELETE(p->list, x);
	if (x->fd < 0) {
		free(x);
		return;
	}
	p->closing++;
	uv_close((uv_handle_t *)&x->poll, on_closed);
	close(x->fd); /* now: its successor may want the same address in this turn */
}

/* Is a socket of the other kind (one interface, all interfaces) open? */
static bool has_other_kind(const struct ports *p, const struct port *x)
{
	const struct port *y;

	LL_FOREACH(p->list, y)
		if (y->fd >= 0 &&
			(y->ifindex == PORTS_ALL_INTERFACES) !=
				(x->ifindex == PORTS_ALL_INTERFACES))
			return true;
	return false;
}

static int port_open(struct ports *p, struct port *x)
{
	const char *name = x->ifindex == PORTS_ALL_INTERFACES ? NULL : x->name;
	int fd, r = p->open(p->ctx, name, x->ifindex, has_other_kind(p, x), &fd);

	if (r == 0) {
		r = uv_poll_init(p->loop, &x->poll, fd);
		if (r < 0)
			close(fd);
	}
	if (r < 0) {
		if (r != x->error && p->failed)
			p->failed(p->ctx, name ? name : "all interfaces", r);
		x->error = r;
		return r;
	}
	x->fd = fd;
	x->error = 0;
	x->poll.data = x;
	return uv_poll_start(&x->poll, UV_READABLE, on_readable);
}

static int want(struct ports *p, unsigned ifindex, const char *name, enum dhcp_mode mode)
{
	struct port *x = find(p, ifindex);

	if (x && x->mode != mode) { /* after a reload: another kind of socket */
		port_close(p, x);
		x = NULL;
	}
	if (!x) {
		x = calloc(1, sizeof(*x));
		if (!x)
			return -ENOMEM;
		x->owner = p;
		x->ifindex = ifindex;
		x->mode = mode;
		strncpy(x->name, name, sizeof(x->name) - 1);
		x->fd = -1;
		LL_PREPEND(p->list, x);
	}
	x->wanted = true;
	return x->fd < 0 ? port_open(p, x) : 0;
}

unsigned ports_update(struct ports *p, const struct served_set *nets, bool relayed)
{
	struct port *x, *next;
	unsigned failed = 0;
	bool any_relayed = false;

	LL_FOREACH(p->list, x)
		x->wanted = false;
	for (size_t i = 0; i < nets->n; i++) {
		const struct served *net = &nets->list[i];

		if (net->cfg->dhcp == DHCP_OFF || (p->wants && !p->wants(net->cfg)))
			continue;
		if (net->ifindex)
			failed += want(p, net->ifindex, net->cfg->interface, net->cfg->dhcp) < 0;
		else
			any_relayed = true;
	}
	if (relayed && any_relayed)
		failed += want(p, PORTS_ALL_INTERFACES, "", DHCP_SERVER) < 0;
	LL_FOREACH_SAFE(p->list, x, next)
		if (!x->wanted)
			port_close(p, x);
	return failed;
}

void ports_close(struct ports *p)
{
	struct port *x, *next;

	p->stopping = true;
	LL_FOREACH_SAFE(p->list, x, next)
		port_close(p, x);
	maybe_closed(p);
}
