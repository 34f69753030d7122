/* Requests that only the main thread can answer, since what they get depends on who
 * asks: scripts, loaders' configurations, whatever is made for one machine.
 *
 * A serving thread asks by letter and goes on; the answer comes back by letter, at
 * once or later.  The same for every protocol: what is given becomes an HTTP or a TFTP
 * answer on the thread that asked (app/http_thread.c, app/tftp_thread.c).
 */
#pragma once

#include "app/serving_thread.h"
#include "edge/http_source.h"

struct machine_move;
struct brought_file; /* app/brought_file.h */

enum given_kind {
	GIVEN_ERROR,
	GIVEN_FILE,
	GIVEN_TEXT,
	GIVEN_PARTS,
	GIVEN_GROWING,
	GIVEN_LATER, /* nothing yet: whoever set it calls question_answer() */
};

struct given {
	enum given_kind kind;
	/* GIVEN_ERROR: -ENOENT, -EACCES, …, and a sentence for people ("": that error's own). */
	int error;
	char sentence[256];
	int fd; /* GIVEN_FILE: moves with the question */
	struct stat st;
	struct text text;         /* GIVEN_TEXT */
	struct http_parts *parts; /* GIVEN_PARTS: moves with the question */
	struct growing *growing;  /* GIVEN_GROWING: a file that is still coming; moves, too */
	const char *content_type; /* a literal, or NULL: by the path's suffix */
};

struct question {
	struct letter letter;
	struct serving_thread *thread;
	void *asker; /* the thread's; NULL: gone meanwhile */
	enum transport transport;
	struct ip4 peer, local;
	struct span path, query; /* into octets: decoded, relative to the root; as it came */
	struct given given;      /* zeroed when asked: GIVEN_ERROR */
	struct machine_move
		*move; /* of the machine whose state the answer changes: app/machines.c */
	struct brought_file *brought; /* files for the answer */
	bool api_is_silent; /* the boot API was asked for it, and leaves it to the rules */
	uint8_t octets[];
};

/* The thread's: asks.  kind->answered(thread, question) comes later, on the thread, with
 * whatever question->asker is then.  NULL without memory. */
struct question *question_ask(struct serving_thread *t, void *asker, enum transport transport,
	struct ip4 peer, struct ip4 local, struct span path, struct span query);
/* The main thread's, once for each question that kind->asked() was given: the answer
 * stands in q->given, and q is the thread's again. */
void question_answer(struct question *q);

void given_error(struct given *g, int error, const char *fmt, ...) PRINTF(3, 4);
void given_file(struct given *g, int fd, const struct stat *st);
/* Takes the text; one that failed becomes an error. */
void given_text(struct given *g, struct text *text, const char *content_type);
/* Takes the parts; for HTTP only. */
void given_parts(struct given *g, struct http_parts *parts);
void given_growing(struct given *g, struct growing *growing);
/* Lets go of what nobody wants any more. */
void given_free(struct given *g);
