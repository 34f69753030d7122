/* curl's multi interface, its sockets polled and its timer kept by libuv. */
#include "edge/fetch_loop.h"

#include <errno.h>
#include <stdlib.h>

struct fetch_loop {
	uv_loop_t *uv;
	CURLM *multi;
	uv_timer_t timer;
};

/* A socket of curl's. */
struct polled {
	uv_poll_t handle;
	struct fetch_loop *l;
	curl_socket_t fd;
};

static void read_ends(struct fetch_loop *l)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->multi, &left))) {
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;
		struct fetch_transfer *t = NULL;

		if (m->msg != CURLMSG_DONE ||
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK)
			continue;
		(void)curl_multi_remove_handle(l->multi, easy);
		t->ended(t, code);
	}
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct polled *s = handle->data;
	struct fetch_loop *l = s->l;
	int what = status < 0 ? CURL_CSELECT_ERR : 0, running;

	what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	(void)curl_multi_socket_action(l->multi, s->fd, what, &running);
	read_ends(l);
}

static void on_timeout(uv_timer_t *timer)
{
	struct fetch_loop *l = timer->data;
	int running;

	(void)curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	read_ends(l);
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct fetch_loop *l = ctx;

	(void)multi;
	if (timeout_ms < 0)
		return uv_timer_stop(&l->timer);
	return uv_timer_start(&l->timer, on_timeout, (uint64_t)timeout_ms, 0);
}

static void free_polled(uv_handle_t *handle)
{
	free(handle->data);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct fetch_loop *l = ctx;
	struct polled *s = of_socket;
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
		(what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			uv_close((uv_handle_t *)&s->handle, free_polled);
		return 0;
	}
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || uv_poll_init_socket(l->uv, &s->handle, fd) < 0) {
			free(s);
			return -1;
		}
		s->handle.data = s;
		s->l = l;
		s->fd = fd;
		(void)curl_multi_assign(l->multi, fd, s);
	}
	return uv_poll_start(&s->handle, events, on_poll) < 0 ? -1 : 0;
}

int fetch_loop_new(uv_loop_t *uv, struct fetch_loop **ret)
{
	struct fetch_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->uv = uv;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		l->multi = curl_multi_init();
	if (!l->multi || uv_timer_init(uv, &l->timer) < 0) {
		(void)curl_multi_cleanup(l->multi);
		free(l);
		return -ENOMEM;
	}
	l->timer.data = l;
	(void)curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	(void)curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	(void)curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	*ret = l;
	return 0;
}

static void free_loop(uv_handle_t *handle)
{
	free(handle->data);
}

void fetch_loop_close(struct fetch_loop *l)
{
	(void)curl_multi_cleanup(l->multi);
	uv_close((uv_handle_t *)&l->timer, free_loop);
}

uv_loop_t *fetch_loop_uv(struct fetch_loop *l)
{
	return l->uv;
}

int fetch_loop_add(struct fetch_loop *l, struct fetch_transfer *t)
{
	(void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, (char *)t);
	return curl_multi_add_handle(l->multi, t->easy) == CURLM_OK ? 0 : -ENOMEM;
}

void fetch_loop_remove(struct fetch_loop *l, struct fetch_transfer *t)
{
	(void)curl_multi_remove_handle(l->multi, t->easy);
}
