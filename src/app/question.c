/* Questions between serving threads and the main thread; see question.h. */
#include "app/question.h"

#include "app/brought_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void given_error(struct given *g, int error, const char *fmt, ...)
{
	va_list ap;

	*g = (struct given){ .kind = GIVEN_ERROR, .error = error };
	va_start(ap, fmt);
	(void)vsnprintf(g->sentence, sizeof(g->sentence), fmt, ap);
	va_end(ap);
}

void given_file(struct given *g, int fd, const struct stat *st)
{
	*g = (struct given){ .kind = GIVEN_FILE, .fd = fd, .st = *st };
}

void given_text(struct given *g, struct text *text, const char *content_type)
{
	if (text->failed) {
		text_free(text);
		given_error(g, -ENOMEM, "%s", "");
		return;
	}
	*g = (struct given){ .kind = GIVEN_TEXT, .text = *text, .content_type = content_type };
	*text = (struct text){ 0 };
}

void given_parts(struct given *g, struct http_parts *parts)
{
	*g = (struct given){ .kind = GIVEN_PARTS, .parts = parts };
}

void given_growing(struct given *g, struct growing *growing)
{
	*g = (struct given){ .kind = GIVEN_GROWING, .growing = growing };
}

void given_free(struct given *g)
{
	if (g->kind == GIVEN_FILE)
		close(g->fd);
	else if (g->kind == GIVEN_TEXT)
		text_free(&g->text);
	else if (g->kind == GIVEN_PARTS)
		http_parts_free(g->parts);
	else if (g->kind == GIVEN_GROWING)
		growing_unref(g->growing);
	*g = (struct given){ .kind = GIVEN_ERROR, .error = -ENOENT };
}

static void read_answer(struct letter *l)
{
	struct question *q = (struct question *)l;

	if (q->asker)
		q->thread->kind->answered(q->thread, q);
	else
		given_free(&q->given);
	free(q);
}

void question_answer(struct question *q)
{
	struct serving_thread *t = q->thread;

	brought_files_free(q->brought);
	q->brought = NULL;
	q->letter.read = read_answer;
	mailbox_post(worker_inbox(t->worker), &q->letter);
	serving_thread_answered(t);
}

static void read_question(struct letter *l)
{
	struct question *q = (struct question *)l;

	q->thread->n_asked++;
	q->thread->kind->asked(q->thread, q);
}

static struct span keep(uint8_t **at, struct span s)
{
	struct span kept = { *at, s.n };

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

struct question *question_ask(struct serving_thread *t, void *asker, enum transport transport,
	struct ip4 peer, struct ip4 local, struct span path, struct span query)
{
	struct question *q = malloc(sizeof(*q) + path.n + query.n);
	uint8_t *at;

	if (!q)
		return NULL;
	*q = (struct question){
		.letter.read = read_question,
		.thread = t,
		.asker = asker,
		.transport = transport,
		.peer = peer,
		.local = local,
		.given = { .kind = GIVEN_ERROR, .error = -ENOENT },
	};
	at = q->octets;
	q->path = keep(&at, path);
	q->query = keep(&at, query);
	mailbox_post(t->home, &q->letter);
	return q;
}
