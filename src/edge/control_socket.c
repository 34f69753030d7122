/* Connections of the control socket: lines in, lines out, deadlines.
 *
 * A connection is reading (waits for a line) or answering (busy), and in both
 * writes what is left of `out`.
 */
#include "edge/control_socket.h"

#include "base/text.h"
#include "edge/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#define TICK_MS 500 /* how late a deadline may be noticed */
#define BACKLOG 64

struct control_conn {
	uv_poll_t poll;
	struct control_socket *s;
	struct control_conn *prev, *next;
	int fd, events;
	uid_t uid;
	bool busy;    /* an answer is under way */
	bool pull;    /* and more() gives its pieces */
	bool eof;     /* the client sends no more */
	bool leaving; /* closed as soon as `out` is written */
	bool backlog; /* there may be another line in `in` */
	void *answer;
	int64_t since_ms; /* it waits for a request, or has read, since then */
	struct text out;
	size_t written;
	size_t n_in;
	uint8_t in[CONTROL_REQUEST_MAX];
};

struct control_socket {
	uv_loop_t *loop;
	const struct control_hooks *hooks;
	void *ctx;
	int fd;
	struct sockaddr_un address;
	struct stat file; /* ours, to know it again */
	uv_poll_t poll;
	uv_timer_t tick;
	struct control_conn *conns;
	unsigned n_conns;
	unsigned handles; /* that the loop still holds */
	bool paused;      /* out of descriptors: rests until the next tick */
};

static void handle_gone(struct control_socket *s)
{
	if (--s->handles == 0)
		free(s);
}

static void on_conn_closed(uv_handle_t *h)
{
	struct control_conn *c = h->data;
	struct control_socket *s = c->s;

	close(c->fd);
	text_free(&c->out);
	free(c);
	handle_gone(s);
}

static void conn_close(struct control_conn *c)
{
	struct control_socket *s = c->s;
	void *answer = c->answer;
	bool busy = c->busy;

	DL_DELETE(s->conns, c);
	s->n_conns--;
	c->busy = c->pull = false;
	uv_close((uv_handle_t *)&c->poll, on_conn_closed);
	if (busy)
		s->hooks->gone(s->ctx, answer);
}

static size_t unwritten(const struct control_conn *c)
{
	return c->out.n - c->written;
}

static void on_ready(uv_poll_t *h, int status, int events);

/* What it waits for now. */
static void arm(struct control_conn *c)
{
	int events = 0;

	if (unwritten(c) || c->pull || c->leaving || (!c->busy && (c->backlog || c->eof)))
		events |= UV_WRITABLE; /* and else, there is something to do */
	if (!c->busy && !c->eof && !c->leaving)
		events |= UV_READABLE;
	if (events == c->events)
		return;
	c->events = events;
	if (events)
		(void)uv_poll_start(&c->poll, events, on_ready);
	else
		(void)uv_poll_stop(&c->poll);
}

/* False: it is gone. */
static bool flush(struct control_conn *c)
{
	while (unwritten(c)) {
		ssize_t n = send(
			c->fd, c->out.p + c->written, unwritten(c), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			conn_close(c);
			return false;
		}
		c->written += (size_t)n;
		c->since_ms = clock_mono_ms();
	}
	text_reset(&c->out);
	c->written = 0;
	return true;
}

static void refuse(struct control_conn *c, const char *sentence)
{
	c->s->hooks->refuse(c->s->ctx, c, sentence);
	c->leaving = true;
}

/* Hands over whole lines until one of them takes time. */
static void take_lines(struct control_conn *c)
{
	while (!c->busy && !c->leaving) {
		uint8_t *end = memchr(c->in, '\n', c->n_in);
		size_t n = end ? (size_t)(end - c->in) : 0;

		if (!end && c->n_in == sizeof(c->in))
			refuse(c, "a request has at most 65536 octets");
		if (!end)
			break;
		if (n > 0 && c->in[n - 1] == '\r')
			n--;
		c->busy = true;
		c->s->hooks->request(c->s->ctx, c, (struct span){ c->in, n });
		n = (size_t)(end - c->in) + 1;
		c->n_in -= n;
		memmove(c->in, c->in + n, c->n_in);
		c->since_ms = clock_mono_ms();
	}
	c->backlog = c->busy && c->n_in > 0;
	if (!c->busy && c->eof)
		c->leaving = true;
}

/* False: it is gone. */
static bool receive(struct control_conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		conn_close(c);
		return false;
	}
	c->eof = n == 0;
	c->n_in += (size_t)n;
	return true;
}

/* Goes on with a connection as far as it goes without waiting. */
static void run(struct control_conn *c)
{
	take_lines(c);
	if (!flush(c))
		return;
	if (unwritten(c) > CONTROL_UNREAD_MAX || c->out.failed || (c->leaving && unwritten(c) == 0))
		conn_close(c);
	else
		arm(c);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
	struct control_conn *c = h->data;

	if (status < 0) {
		conn_close(c);
		return;
	}
	if (events & UV_READABLE && !receive(c))
		return;
	if (c->pull && unwritten(c) == 0)
		c->s->hooks->more(c->s->ctx, c, c->answer);
	run(c);
}

/* --- answers --- */

void control_write(struct control_conn *c, struct span data)
{
	if (unwritten(c) == 0)
		c->since_ms = clock_mono_ms();
	text_add(&c->out, data);
	arm(c);
}

void control_begin(struct control_conn *c, void *answer, bool pull)
{
	c->answer = answer;
	c->pull = pull;
	arm(c);
}

void control_stop_pulling(struct control_conn *c)
{
	c->pull = false;
	arm(c);
}

void control_pull(struct control_conn *c)
{
	c->pull = true;
	c->since_ms = clock_mono_ms();
	arm(c);
}

void control_finish(struct control_conn *c)
{
	c->busy = c->pull = false;
	c->answer = NULL;
	c->since_ms = clock_mono_ms();
	arm(c);
}

uid_t control_uid(const struct control_conn *c)
{
	return c->uid;
}

/* --- the listener --- */

static void on_connection(uv_poll_t *h, int status, int events);

static void rest_or_go_on(struct control_socket *s)
{
	if (s->paused)
		(void)uv_poll_stop(&s->poll);
	else
		(void)uv_poll_start(&s->poll, UV_READABLE, on_connection);
}

/* Not when it has only said that it sends no more. */
static bool has_hung_up(const struct control_conn *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

/* A client that is late: it may have gone away and left its end open; or that left
 * while its answer had nothing to write, which nobody has noticed yet. */
static void look_at_deadline(struct control_conn *c, int64_t now_ms)
{
	int64_t waited_ms = now_ms - c->since_ms;

	if (unwritten(c) || c->pull) {
		if (waited_ms > CONTROL_STALLED_MS)
			conn_close(c);
	} else if (c->busy && has_hung_up(c)) {
		conn_close(c);
	} else if (!c->busy && waited_ms > CONTROL_REQUEST_MS) {
		refuse(c, "no request arrived within 5 seconds");
		if (flush(c))
			conn_close(c);
	}
}

static void on_tick(uv_timer_t *t)
{
	struct control_socket *s = t->data;
	int64_t now_ms = clock_mono_ms();
	struct control_conn *c, *next;

	DL_FOREACH_SAFE(s->conns, c, next)
		look_at_deadline(c, now_ms);
	if (s->paused) {
		s->paused = false;
		rest_or_go_on(s);
	}
	if (!s->conns)
		(void)uv_timer_stop(&s->tick);
}

static void conn_new(struct control_socket *s, int fd)
{
	struct control_conn *c = calloc(1, sizeof(*c));
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(who);

	if (!c || uv_poll_init(s->loop, &c->poll, fd) < 0) {
		free(c);
		close(fd);
		return;
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
	c->poll.data = c;
	c->s = s;
	c->fd = fd;
	c->uid = who.uid;
	c->since_ms = clock_mono_ms();
	s->handles++;
	DL_APPEND(s->conns, c);
	if (s->n_conns++ >= CONTROL_CONNECTIONS_MAX)
		refuse(c, "too many connections at once: try again");
	if (c->leaving ? flush(c) : true)
		arm(c);
	if (!uv_is_active((uv_handle_t *)&s->tick))
		(void)uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
}

static void on_connection(uv_poll_t *h, int status, int events)
{
	struct control_socket *s = h->data;

	(void)status;
	(void)events;
	for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			conn_new(s, fd);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			s->paused = errno != EAGAIN;
			break;
		}
	}
	if (s->paused)
		(void)uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	rest_or_go_on(s);
}

static void make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct sockaddr_un dir;

	if (!slash || slash == path)
		return;
	memcpy(dir.sun_path, path, (size_t)(slash - path));
	dir.sun_path[slash - path] = '\0';
	(void)mkdir(dir.sun_path, 0750); /* bind() says what is wrong with it */
}

/* What stands where our socket should: 0 when that was a dead daemon's, and is gone. */
static int clear_away(const struct sockaddr_un *a)
{
	struct stat st;
	int fd, r = 0;

	if (lstat(a->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno == EAGAIN)
		r = -EADDRINUSE;
	else if (errno != ECONNREFUSED)
		r = -errno;
	close(fd);
	if (r == 0 && unlink(a->sun_path) < 0)
		r = -errno;
	return r;
}

/* The mode stands before the name does: at no moment is it open to more. */
static int bind_socket(int fd, const struct sockaddr_un *a)
{
	int r = 0;

	if (fchmod(fd, 0660) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0) {
		r = errno == EADDRINUSE ? clear_away(a) : -errno;
		if (r == 0 && bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
			r = -errno;
	}
	if (r == 0 && (chmod(a->sun_path, 0660) < 0 || listen(fd, BACKLOG) < 0))
		r = -errno;
	return r;
}

int control_socket_open(uv_loop_t *loop, const char *path, const struct control_hooks *hooks,
	void *ctx, struct control_socket **ret)
{
	struct control_socket *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	*s = (struct control_socket){ .loop = loop,
		.hooks = hooks,
		.ctx = ctx,
		.address.sun_family = AF_UNIX,
		.handles = 2 };
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		r = -errno;
	else if (strlen(path) >= sizeof(s->address.sun_path))
		r = -ENAMETOOLONG;
	if (r == 0) {
		memcpy(s->address.sun_path, path, strlen(path));
		make_directory(path);
		r = bind_socket(s->fd, &s->address);
	}
	if (r == 0 && stat(path, &s->file) < 0)
		r = -errno;
	if (r == 0)
		r = uv_poll_init(loop, &s->poll, s->fd);
	if (r < 0) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return r;
	}
	(void)uv_timer_init(loop, &s->tick);
	s->poll.data = s->tick.data = s;
	rest_or_go_on(s);
	*ret = s;
	return 0;
}

static void on_listener_closed(uv_handle_t *h)
{
	struct control_socket *s = h->data;

	close(s->fd);
	handle_gone(s);
}

static void on_tick_closed(uv_handle_t *h)
{
	handle_gone(h->data);
}

void control_socket_close(struct control_socket *s)
{
	struct control_conn *c, *next;
	struct stat now;

	if (!s)
		return;
	DL_FOREACH_SAFE(s->conns, c, next) {
		if (c->pull && unwritten(c) == 0) /* what happened last */
			s->hooks->more(s->ctx, c, c->answer);
		if (flush(c))
			conn_close(c);
	}
	/* Another daemon may have put its own there meanwhile. */
	if (stat(s->address.sun_path, &now) == 0 && now.st_dev == s->file.st_dev &&
		now.st_ino == s->file.st_ino)
		(void)unlink(s->address.sun_path);
	uv_close((uv_handle_t *)&s->poll, on_listener_closed);
	uv_close((uv_handle_t *)&s->tick, on_tick_closed);
}
