/* The thread that serves TFTP: files of the root, loaders, named files.
 *
 * It sends by itself, asks the main thread for what depends on the machine, and tells
 * it what happened; app/service_tftp.c is
 * the other end.  It logs nothing.
 */
#pragma once

#include "app/question.h"
#include "edge/tftp_server.h"

struct tftp_thread;

/* A transfer that ended, or runs (outcome TFTP_RUNNING), or a request that began none. */
struct tftp_report {
	struct letter letter;
	struct tftp_thread *thread;
	struct tftp_peer peer;
	struct span file, sentence; /* into octets */
	enum tftp_outcome outcome;
	uint16_t error;
	bool has_session;
	struct tftp_terms terms;
	uint64_t resent, acked_octets, duration_us;
	uint8_t octets[];
};

/* Called on the main thread; report owns what it gets (free()). */
struct tftp_thread_hooks {
	void (*question)(void *ctx, struct question *q); /* question_answer() it */
	void (*report)(void *ctx, struct tftp_report *r);
	void (*dropped)(void *ctx, enum drop why, const struct tftp_peer *peer);
	void (*starved)(void *ctx);
	/* After serving_thread_close: only tftp_thread_join() is left to be called. */
	void (*closed)(void *ctx, struct tftp_thread *t);
};

/* As http_thread_new(). */
int tftp_thread_new(struct mailbox *home, const struct tftp_thread_hooks *hooks, void *ctx,
	struct snapshot *now, struct tftp_thread **ret) WARN_UNUSED;
struct serving_thread *tftp_thread_serving(struct tftp_thread *t);
void tftp_thread_join(struct tftp_thread *t);
