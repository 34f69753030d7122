/* Lines on a descriptor. */
#include "app/log.h"

#include "base/escape.h"
#include "edge/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DROP_LINE_EVERY_MS 1000
#define READER_PATIENCE_MS 20

struct log {
	int fd;
	bool json;
	bool torn;          /* the last line was cut: a new one must begin */
	unsigned long lost; /* lines, since the reader stands still */
	struct text line, sentence;
	struct text held; /* lines between log_hold() and log_release() */
	unsigned holds;
	time_t clock_s; /* of the text below: a second's lines share it */
	char clock_text[32];
	unsigned long drops[DROP_COUNT], hidden[DROP_COUNT];
	int64_t drop_line_ms[DROP_COUNT];
};

int log_new(int fd, bool json, struct log **ret)
{
	struct log *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = fd;
	l->json = json;
	*ret = l;
	return 0;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	text_free(&l->line);
	text_free(&l->sentence);
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

static void say_lost(struct log *l)
{
	struct text sentence = { 0 }, line = { 0 };

	text_addf(&sentence, "%lu lines are missing here: the reader of this log stood still", l->lost);
	l->lost = 0;
	log_compose(l, LOG_WARNING, "serve", NULL, 0, text_span(&sentence), &line);
	log_write(l, &line);
	text_free(&sentence);
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

void log_write(struct log *l, const struct text *line)
{
	struct span s = line->failed ? SPAN_NONE : text_span(line);

	if (!l->holds) {
		write_lines(l, s);
		return;
	}
	text_add(&l->held, s);
	if (l->held.failed) {
		l->lost++;
		l->held.failed = false;
	}
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

static void add_time(struct log *l, struct text *t)
{
	int64_t ms = clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (s != l->clock_s) {
		l->clock_s = s;
		if (l->json)
			(void)strftime(l->clock_text, sizeof(l->clock_text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
		else
			(void)strftime(l->clock_text, sizeof(l->clock_text), "%H:%M:%S", localtime_r(&s, &tm));
	}
	text_adds(t, l->clock_text);
	text_addc(t, '.');
	text_addc(t, (char)('0' + ms / 100 % 10));
	text_addc(t, (char)('0' + ms / 10 % 10));
	text_addc(t, (char)('0' + ms % 10));
	if (l->json)
		text_addc(t, 'Z');
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = { "info", "warning", "error" };

	return names[level];
}

static void add_json_text(struct text *t, const char *key, struct span value)
{
	text_addf(t, ",\"%s\":\"", key);
	escape_json(t, value);
	text_addc(t, '"');
}

static void compose_json(struct log *l, enum log_level level, const char *topic, const struct log_field *fields, size_t n,
	struct span sentence, struct text *t)
{
	text_adds(t, "{\"time\":\"");
	add_time(l, t);
	text_addf(t, "\",\"level\":\"%s\",\"topic\":\"%s\"", level_name(level), topic);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].is_number)
			text_addf(t, ",\"%s\":%lld", fields[i].key, (long long)fields[i].number);
		else if (fields[i].text.n)
			add_json_text(t, fields[i].key, fields[i].text);
	}
	add_json_text(t, "message", sentence);
	text_adds(t, "}\n");
}

static void compose_text(struct log *l, enum log_level level, const char *topic, struct span sentence, struct text *t)
{
	struct span word = span_str(topic);

	add_time(l, t);
	text_addc(t, ' ');
	text_add(t, word);
	text_add(t, (struct span){ (const uint8_t *)"       ", word.n < 6 ? 7 - word.n : 1 });
	if (level != LOG_INFO)
		text_addf(t, "%s: ", level_name(level));
	text_add(t, sentence);
	text_addc(t, '\n');
}

void log_compose(struct log *l, enum log_level level, const char *topic, const struct log_field *fields,
	size_t n_fields, struct span sentence, struct text *ret_line)
{
	if (l->json)
		compose_json(l, level, topic, fields, n_fields, sentence, ret_line);
	else
		compose_text(l, level, topic, sentence, ret_line);
}

static void emit(struct log *l, enum log_level level, const char *topic, const struct log_field *fields,
	size_t n, const char *fmt, va_list ap)
{
	text_reset(&l->line);
	text_reset(&l->sentence);
	text_addv(&l->sentence, fmt, ap);
	log_compose(l, level, topic, fields, n, text_span(&l->sentence), &l->line);
	log_write(l, &l->line);
}

void log_event(struct log *l, enum log_level level, const char *topic, const struct log_field *fields,
	size_t n_fields, const char *fmt, ...)
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
