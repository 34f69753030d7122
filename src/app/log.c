/* Lines on a descriptor. */
#include "app/log.h"

#include "base/escape.h"
#include "edge/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DROP_LINE_EVERY_MS 1000

struct log {
	int fd;
	bool json;
	struct text line, sentence;
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
	free(l);
}

/* The whole line in one write where the descriptor takes it; a reader that has
 * gone away loses its lines, not the service. */
void log_write(struct log *l, const struct text *line)
{
	struct span left = line->failed ? SPAN_NONE : text_span(line);

	while (left.n) {
		ssize_t n = write(l->fd, left.p, left.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = l->fd, .events = POLLOUT };

			if (poll(&p, 1, 100) == 1)
				continue;
		}
		if (n <= 0)
			return;
		left = span_skip(left, (size_t)n);
	}
}

static void add_time(struct text *t, bool whole)
{
	int64_t ms = clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char buf[32];

	if (whole) {
		gmtime_r(&s, &tm);
		strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm);
		text_addf(t, "%s.%03dZ", buf, (int)(ms % 1000));
	} else {
		localtime_r(&s, &tm);
		strftime(buf, sizeof(buf), "%H:%M:%S", &tm);
		text_addf(t, "%s.%03d", buf, (int)(ms % 1000));
	}
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

static void compose_json(enum log_level level, const char *topic, const struct log_field *fields, size_t n,
	struct span sentence, struct text *t)
{
	text_adds(t, "{\"time\":\"");
	add_time(t, true);
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

static void compose_text(enum log_level level, const char *topic, struct span sentence, struct text *t)
{
	add_time(t, false);
	text_addf(t, " %-6s ", topic);
	if (level != LOG_INFO)
		text_addf(t, "%s: ", level_name(level));
	text_add(t, sentence);
	text_addc(t, '\n');
}

void log_compose(struct log *l, enum log_level level, const char *topic, const struct log_field *fields,
	size_t n_fields, struct span sentence, struct text *ret_line)
{
	if (l->json)
		compose_json(level, topic, fields, n_fields, sentence, ret_line);
	else
		compose_text(level, topic, sentence, ret_line);
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
