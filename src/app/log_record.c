/* Records of the log: packed, read, printed. */
#include "app/log_record.h"

#include "base/escape.h"

#include <time.h>

struct packed_head {
	int64_t wall_ms;
	const char *topic;
	uint32_t sentence_n;
	enum log_level level;
};

struct packed_field {
	const char *key;
	int64_t value; /* of a text: its length */
	bool is_number;
};

static void put(struct text *out, const void *p, size_t n)
{
	text_add(out, (struct span){ p, n });
}

void log_record_pack(int64_t wall_ms, enum log_level level, const char *topic,
	const struct log_field *fields, size_t n_fields, struct span sentence, struct text *out)
{
	const struct packed_head head = { wall_ms, topic, (uint32_t)sentence.n, level };
	size_t size = sizeof(head) + sentence.n;

	for (size_t i = 0; i < n_fields; i++)
		size += sizeof(struct packed_field) + (fields[i].is_number ? 0 : fields[i].text.n);
	text_reserve(out, size);
	put(out, &head, sizeof(head));
	text_add(out, sentence);
	for (size_t i = 0; i < n_fields; i++) {
		const struct log_field *f = &fields[i];
		const struct packed_field packed = { f->key,
			f->is_number ? f->number : (int64_t)f->text.n, f->is_number };

		if (!f->is_number && f->text.n == 0)
			continue;
		put(out, &packed, sizeof(packed));
		if (!f->is_number)
			text_add(out, f->text);
	}
}

struct log_record log_record_of(struct span octets)
{
	struct packed_head head;

	memcpy(&head, octets.p, sizeof(head));
	octets = span_skip(octets, sizeof(head));
	return (struct log_record){ head.wall_ms, head.topic, head.level,
		{ octets.p, head.sentence_n }, span_skip(octets, head.sentence_n) };
}

bool log_record_next(struct log_record *r, struct log_field *ret)
{
	struct packed_field packed;

	if (r->fields.n == 0)
		return false;
	memcpy(&packed, r->fields.p, sizeof(packed));
	r->fields = span_skip(r->fields, sizeof(packed));
	*ret = (struct log_field){ .key = packed.key, .is_number = packed.is_number };
	if (packed.is_number) {
		ret->number = packed.value;
	} else {
		ret->text = (struct span){ r->fields.p, (size_t)packed.value };
		r->fields = span_skip(r->fields, ret->text.n);
	}
	return true;
}

struct span log_record_text_of(struct log_record r, const char *key)
{
	struct log_field f;

	while (log_record_next(&r, &f))
		if (!f.is_number && strcmp(f.key, key) == 0)
			return f.text;
	return SPAN_NONE;
}

static void add_time(struct log_clock *c, int64_t ms, struct text *t)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (s != c->s) {
		c->s = s;
		if (c->utc)
			(void)strftime(
				c->text, sizeof(c->text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
		else
			(void)strftime(c->text, sizeof(c->text), "%H:%M:%S", localtime_r(&s, &tm));
	}
	text_adds(t, c->text);
	text_addc(t, '.');
	text_addc(t, (char)('0' + ms / 100 % 10));
	text_addc(t, (char)('0' + ms / 10 % 10));
	text_addc(t, (char)('0' + ms % 10));
	if (c->utc)
		text_addc(t, 'Z');
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = { "info", "warning", "error" };

	return names[level];
}

void log_record_line(struct log_record r, struct log_clock *clock, struct text *out)
{
	struct span word = span_str(r.topic);

	add_time(clock, r.wall_ms, out);
	text_addc(out, ' ');
	text_add(out, word);
	text_add(out, (struct span){ (const uint8_t *)"       ", word.n < 6 ? 7 - word.n : 1 });
	if (r.level != LOG_INFO)
		text_addf(out, "%s: ", level_name(r.level));
	text_add(out, r.sentence);
	text_addc(out, '\n');
}

static void add_json_text(struct text *t, const char *key, struct span value)
{
	text_adds(t, ",\"");
	text_adds(t, key);
	text_adds(t, "\":\"");
	escape_json(t, value);
	text_addc(t, '"');
}

void log_record_json(struct log_record r, struct log_clock *clock, struct text *out)
{
	struct log_field f;

	text_adds(out, "\"time\":\"");
	add_time(clock, r.wall_ms, out);
	text_addf(out, "\",\"level\":\"%s\",\"topic\":\"%s\"", level_name(r.level), r.topic);
	while (log_record_next(&r, &f)) {
		if (f.is_number)
			text_addf(out, ",\"%s\":%lld", f.key, (long long)f.number);
		else
			add_json_text(out, f.key, f.text);
	}
	add_json_text(out, "message", r.sentence);
}
