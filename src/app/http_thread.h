/* A thread that serves HTTP: a loop, a server, a snapshot of what is in force.
 *
 * It answers files by itself.  What takes knowledge of machines (their scripts)
 * it asks the main thread, and everything that happened it tells there, both by
 * letter: app/service_http.c is the other end.  It renders and logs nothing.
 */
#pragma once

#include "app/snapshot.h"
#include "core/locate.h"
#include "edge/http_server.h"
#include "edge/mailbox.h"

struct http_thread;

/* A request that the main thread answers: it fills target and gives it back by
 * http_thread_answer(), on its own thread. */
struct http_question {
	struct letter letter;
	struct http_thread *thread;
	struct http_conn *conn; /* the HTTP thread's; NULL: gone meanwhile */
	struct http_peer peer;
	enum virtual_kind kind;
	struct mac mac;
	struct http_target target;
	size_t query_n;
	uint8_t query[];
};

/* One request after its end, copied from struct http_access; long texts are cut. */
struct http_report {
	struct letter letter;
	struct http_thread *thread;
	struct http_peer peer;
	struct span method, target, user_agent; /* into octets */
	unsigned status;
	uint64_t sent, length, duration_us;
	bool complete;
	enum drop drop;
	uint8_t octets[];
};

/* What is told on the main thread; all own what they get (free()). */
struct http_thread_hooks {
	void (*question)(void *ctx, struct http_question *q);
	void (*report)(void *ctx, struct http_report *r);
	void (*refused)(void *ctx, const struct http_peer *peer, enum drop why);
	void (*starved)(void *ctx);
	/* After http_thread_close: only http_thread_join() is left to be called. */
	void (*closed)(void *ctx, struct http_thread *t);
};

/* All functions are the main thread's.  home: its mailbox; number: for the name.
 * The thread takes a reference of its own. */
int http_thread_new(struct mailbox *home, const struct http_thread_hooks *hooks, void *ctx, unsigned number,
	struct http_limits limits, struct snapshot *now, struct http_thread **ret) WARN_UNUSED;
void http_thread_adopt(struct http_thread *t, struct snapshot *now);
/* fd moves in. */
void http_thread_listen(struct http_thread *t, int fd, bool tls, int id);
void http_thread_unlisten(struct http_thread *t, int id);
void http_thread_answer(struct http_question *q);
void http_thread_close(struct http_thread *t, uint64_t grace_ms);
void http_thread_join(struct http_thread *t);

/* How many reports were not made because too many waited; zero from then on. */
unsigned long http_thread_take_lost(struct http_thread *t);
