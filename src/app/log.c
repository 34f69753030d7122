/* Lines on a descriptor. */
#include "app/log.h"

#include "edge/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define DROP_LINE_EVERY_MS 1000
#define READER_PATIENCE_MS 20

struct log {
	int fd;
	bool json;
	bool torn;          /* the last line was cut: a new one must begin */
	unsigned long lost; /* lines, since the reader stands still */
	log_observer observer;
	void *observer_ctx;
	struct text line, sentence, record;
	struct text held; /* lines between log_hold() and log_release() */
	unsigned holds;
	struct log_clock clock;
	unsigned long drops[DROP_COUNT], hidden[DROP_COUNT];
	int64_t drop_line_ms[DROP_COUNT];
};

int log_new(int fd, bool json, struct log **ret)
{
	struct log *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = fd;
	l->json = l->clock.utc = json;
	*ret = l;
	return 0;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	text_free(&l->line);
	text_free(&l->sentence);
	text_free(&l->record);
	text_free(&l->held);
	free(l);
}

/* Patience once, then none until the reader reads again. */
static bool reader_takes(const struct log *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };

	return poll(&p, 1, l->lost ? 0 : READER_PATIENCE_MS) == 1 && p.revents & POLLOUT;
}

/* Octets written.  PIPE_BUF at a time: so many a pipe takes without blocking
 * once poll() calls it writable, whatever its flags. */
static size_t write_some(struct log *l, struct span s)
{
	size_t at = 0;

	while (at < s.n && reader_takes(l)) {
		size_t left = s.n - at;
		ssize_t n = write(l->fd, s.p + at, left < PIPE_BUF ? left : PIPE_BUF);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	return at;
}

static void render(struct log *l, struct span record, struct text *line)
{
	if (!l->json) {
		log_record_line(log_record_of(record), &l->clock, line);
		return;
	}
	text_addc(line, '{');
	log_record_json(log_record_of(record), &l->clock, line);
	text_adds(line, "}\n");
}

static void write_lines(struct log *l, struct span s);

/* Nobody's event but this reader's. */
static void say_lost(struct log *l)
{
	struct text sentence = { 0 }, record = { 0 }, line = { 0 };

	text_addf(&sentence, "%lu lines are missing here: the reader of this log stood still",
		l->lost);
	l->lost = 0;
	log_compose(LOG_WARNING, "serve", NULL, 0, text_span(&sentence), &record);
	if (!record.failed)
		render(l, text_span(&record), &line);
	write_lines(l, text_span(&line));
	text_free(&sentence);
	text_free(&record);
	text_free(&line);
}

static unsigned long count_lines(struct span s)
{
	unsigned long n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

/* Whole lines.  A reader that has gone away or stands still loses its lines, not
 * the service. */
static void write_lines(struct log *l, struct span s)
{
	size_t n;

	if (s.n == 0)
		return;
	if (l->torn && write_some(l, SPAN_LIT("\n")) == 1)
		l->torn = false;
	if (l->lost && reader_takes(l))
		say_lost(l);
	n = l->torn ? 0 : write_some(l, s);
	if (n == s.n)
		return;
	l->torn = l->torn || (n > 0 && s.p[n - 1] != '\n');
	l->lost += count_lines(span_skip(s, n));
}

void log_write(struct log *l, const struct text *record)
{
	if (record->failed || record->n == 0) {
		l->lost += record->failed;
		return;
	}
	if (l->observer)
		l->observer(l->observer_ctx, text_span(record));
	text_reset(&l->line);
	render(l, text_span(record), &l->line);
	if (l->holds && !l->line.failed)
		text_add(&l->held, text_span(&l->line));
	else if (!l->line.failed)
		write_lines(l, text_span(&l->line));
	l->lost += l->line.failed || l->held.failed;
	l->held.failed = false;
}

void log_set_observer(struct log *l, log_observer observer, void *ctx)
{
	l->observer = observer;
	l->observer_ctx = ctx;
}

void log_hold(struct log *l)
{
	l->holds++;
}

void log_release(struct log *l)
{
	if (--l->holds > 0)
		return;
	write_lines(l, text_span(&l->held));
	text_reset(&l->held);
}

void log_compose(enum log_level level, const char *topic, const struct log_field *fields,
	size_t n_fields, struct span sentence, struct text *ret_record)
{
	log_record_pack(clock_wall_ms(), level, topic, fields, n_fields, sentence, ret_record);
}

static void emit(struct log *l, enum log_level level, const char *topic,
	const struct log_field *fields, size_t n, const char *fmt, va_list ap)
{
	text_reset(&l->record);
	text_reset(&l->sentence);
	text_addv(&l->sentence, fmt, ap);
	log_compose(level, topic, fields, n, text_span(&l->sentence), &l->record);
	log_write(l, &l->record);
}

void log_event(struct log *l, enum log_level level, const char *topic,
	const struct log_field *fields, size_t n_fields, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(l, level, topic, fields, n_fields, fmt, ap);
	va_end(ap);
}

void log_say(struct log *l, enum log_level level, const char *topic, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(l, level, topic, NULL, 0, fmt, ap);
	va_end(ap);
}

bool log_drop_due(struct log *l, enum drop why, unsigned long *ret_hidden)
{
	int64_t now = clock_mono_ms();

	l->drops[why]++;
	if (l->drop_line_ms[why] && now - l->drop_line_ms[why] < DROP_LINE_EVERY_MS) {
		l->hidden[why]++;
		return false;
	}
	*ret_hidden = l->hidden[why];
	l->hidden[why] = 0;
	l->drop_line_ms[why] = now;
	return true;
}

unsigned long log_drop_count(const struct log *l, enum drop why)
{
	return l->drops[why];
}
