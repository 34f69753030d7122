/* A thread that serves HTTP.
 *
 * It answers files by itself.  What takes knowledge of machines (their scripts)
 * it asks the main thread, and everything that happened it tells there, both by
 * letter: app/service_http.c is the other end.  It renders and logs nothing.
 */
#pragma once

#include "app/question.h"
#include "edge/http_server.h"

struct http_thread;

/* A request after its end, or on its way: struct http_access, copied; long texts are cut. */
struct http_report {
	struct letter letter;
	struct http_thread *thread;
	struct http_peer peer;
	struct span method, target, user_agent; /* into octets */
	unsigned status;
	uint64_t sent, length, duration_us;
	bool is_running, complete;
	enum drop drop;
	uint8_t octets[];
};

/* It was asked for and left as a whole. */
bool http_report_is_whole_file(const struct http_report *r);

/* What is told on the main thread; the question is answered by
 * question_answer(), the report freed. */
struct http_thread_hooks {
	void (*question)(void *ctx, struct question *q);
	void (*report)(void *ctx, struct http_report *r);
	void (*refused)(void *ctx, const struct http_peer *peer, enum drop why);
	void (*starved)(void *ctx);
	/* After serving_thread_close: only http_thread_join() is left to be called. */
	void (*closed)(void *ctx, struct http_thread *t);
};

/* All functions are the main thread's.  home: its mailbox; number: for the name.
 * The thread takes a reference of its own. */
int http_thread_new(struct mailbox *home, const struct http_thread_hooks *hooks, void *ctx,
	unsigned number, struct http_limits limits, struct snapshot *now,
	struct http_thread **ret) WARN_UNUSED;
/* For what is the same for every protocol (adopt, listen, unlisten, close). */
struct serving_thread *http_thread_serving(struct http_thread *t);
void http_thread_join(struct http_thread *t);
