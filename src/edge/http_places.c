/* Places of connections; see http_places.h. */
#include "edge/http_places.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

static void client_leave(struct http_conn *c)
{
	if (--c->client->n_conns > 0)
		return;
	HASH_DEL(c->srv->clients, c->client);
	free(c->client);
}

static void class_enter(struct http_conn *c, enum conn_class class)
{
	c->class = class;
	c->srv->n_busy += class == CONN_BUSY;
	DL_APPEND(c->srv->conns[class], c);
	if (class == CONN_IDLE)
		DL_APPEND2(c->client->idle, c, sibling_prev, sibling_next);
}

static void class_leave(struct http_conn *c)
{
	DL_DELETE(c->srv->conns[c->class], c);
	c->srv->n_busy -= c->class == CONN_BUSY;
	if (c->class == CONN_IDLE)
		DL_DELETE2(c->client->idle, c, sibling_prev, sibling_next);
}

int http_place_join(struct http_conn *c)
{
	struct http_server *srv = c->srv;
	struct http_client *client;

	HASH_FIND(hh, srv->clients, &c->peer.addr.v, sizeof(uint32_t), client);
	if (!client) {
		client = calloc(1, sizeof(*client));
		if (!client)
			return -ENOMEM;
		client->addr = c->peer.addr.v;
		HASH_ADD(hh, srv->clients, addr, sizeof(client->addr), client);
		if (!client->hh.tbl) {
			free(client);
			return -ENOMEM;
		}
	}
	client->n_conns++;
	c->client = client;
	class_enter(c, CONN_HEAD);
	return 0;
}

void http_place_leave(struct http_conn *c)
{
	http_place_unqueue(c);
	class_leave(c);
	client_leave(c);
}

void http_place_classify(struct http_conn *c)
{
	enum conn_class class = CONN_BUSY;

	if (http_session_is_idle(&c->session))
		class = CONN_IDLE;
	else if (c->session.want == HTTP_WANT_RECV)
		class = CONN_HEAD;
	if (class == c->class)
		return;
	class_leave(c);
	class_enter(c, class);
}

static void on_no_sleep(uv_idle_t *idle)
{
	(void)idle; /* it is enough that it is active: the loop does not sleep then */
}

void http_place_queue(struct http_conn *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	DL_APPEND2(c->srv->ready, c, ready_prev, ready_next);
	if (!uv_is_active((uv_handle_t *)&c->srv->no_sleep))
		(void)uv_idle_start(&c->srv->no_sleep, on_no_sleep);
}

void http_place_unqueue(struct http_conn *c)
{
	if (!c->is_ready)
		return;
	c->is_ready = false;
	DL_DELETE2(c->srv->ready, c, ready_prev, ready_next);
}
