/* Router solicitations of machines that run iPXE. */
#include "app/service_ndp.h"

#include "app/ports.h"
#include "edge/clock.h"
#include "edge/ndp_socket.h"
#include "wire/ndp.h"

#include <errno.h>
#include <stdlib.h>

struct service_ndp {
	struct site *site;
	struct ports ports;
};

static void on_solicitation(
	struct service_ndp *s, int fd, struct mac mac, const struct sockaddr_in6 *from)
{
	const struct mac_text text = mac_str(mac);
	const struct log_field fields[] = { FIELD_STR("mac", text.s) };
	uint8_t buf[32];
	struct wr w = wr_of(buf, sizeof(buf));

	if (!clients_wants_no_router(s->site->clients, mac, clock_mono_ms()))
		return;
	ndp_put_no_router(&w);
	if (ndp_socket_send(fd, from, wr_done(&w)) == 0)
		log_event(s->site->log, LOG_INFO, "net", fields, ARRAY_LEN(fields),
			"%s told that there is no IPv6 router, so that iPXE does not wait for one",
			text.s);
}

static void on_readable(void *ctx, int fd)
{
	uint8_t buf[1500];
	struct sockaddr_in6 from;
	struct span message;
	struct mac mac;
	int r;

	for (int i = 0; i < 16; i++) {
		r = ndp_socket_recv(fd, buf, sizeof(buf), &message, &from);
		if (r == -EBADMSG)
			continue;
		if (r < 0)
			return;
		if (ndp_solicitation_source(message, &mac))
			on_solicitation(ctx, fd, mac, &from);
	}
}

static int open_port(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd)
{
	(void)ctx;
	(void)beside;
	return ndp_socket_open(name, ifindex, ret_fd);
}

static void on_closed(void *ctx)
{
	free(ctx);
}

int service_ndp_new(uv_loop_t *loop, struct site *site, struct service_ndp **ret)
{
	struct service_ndp *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->site = site;
	s->ports = (struct ports){ .loop = loop,
		.ctx = s,
		.open = open_port,
		.readable = on_readable,
		.closed = on_closed };
	*ret = s;
	return 0;
}

void service_ndp_update(struct service_ndp *s)
{
	/* An interface that cannot be opened has no IPv6: then iPXE has to wait. */
	(void)ports_update(&s->ports, s->site->nets, false);
}

void service_ndp_close(struct service_ndp *s)
{
	if (s)
		ports_close(&s->ports);
}
