/* Listening addresses, reconciled. */
#include "app/listeners.h"

#include <errno.h>

static void explain_error(struct listeners *l, struct ip4 addr, uint16_t port, int r)
{
	struct ip4_text a = ip4_str(addr);

	if (r == -EADDRINUSE)
		log_say(l->log, LOG_ERROR, l->topic,
			"%s %u on %s is in use: stop the other server (`ss -lnp sport = :%u` names it), or set %s: {port: …}; trying again every 5 s",
			l->what, port, a.s, port, l->topic);
	else if (r == -EACCES || r == -EPERM)
		log_say(l->log, LOG_ERROR, l->topic,
			"%s %u on %s may not be opened: run bootsmith as root, or with CAP_NET_BIND_SERVICE and CAP_NET_RAW",
			l->what, port, a.s);
	else
		log_say(l->log, LOG_ERROR, l->topic, "%s %u on %s: %s; trying again every 5 s",
			l->what, port, a.s, strerror(-r));
}

static bool is_among(struct ip4 a, const struct ip4 *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip4_eq(addrs[i], a))
			return true;
	return false;
}

/* How many were closed. */
static size_t close_unwanted(struct listeners *l, const struct ip4 *addrs, size_t n)
{
	size_t kept = 0, had = l->n;

	for (size_t i = 0; i < l->n; i++) {
		if (is_among(l->list[i].addr, addrs, n))
			l->list[kept++] = l->list[i];
		else if (l->list[i].open)
			l->close(l->server, l->list[i].id);
	}
	l->n = kept;
	return had - kept;
}

/* There is room: the list holds none but wanted addresses. */
static struct listener *find_or_add(struct listeners *l, struct ip4 addr)
{
	for (size_t i = 0; i < l->n; i++)
		if (ip4_eq(l->list[i].addr, addr))
			return &l->list[i];
	l->list[l->n] = (struct listener){ .addr = addr };
	return &l->list[l->n++];
}

unsigned listeners_update(struct listeners *l, const struct ip4 *addrs, size_t n, uint16_t port)
{
	unsigned failed = 0;
	bool closing = close_unwanted(l, addrs, n) > 0;
	for (size_t i = 0; i < n; i++) {
		struct listener *x = find_or_add(l, addrs[i]);
		int r;

		if (x->open)
			continue;
		r = l->open(l->server, addrs[i], port, &x->id);
		x->open = r == 0;
		failed += r < 0;
		/* Our own one, which its thread closes just now, may be in the way. */
		if (r == -EADDRINUSE && closing)
			continue;
		if (r < 0 && r != x->error)
			explain_error(l, addrs[i], port, r);
		x->error = r;
	}
	return failed;
}

unsigned listeners_open_count(const struct listeners *l)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->list[i].open;
	return n;
}
