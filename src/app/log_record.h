/* What one line of the log says, before anybody has asked how it is to look.
 *
 * A record is packed once, in the order of memory and without escaping, and may
 * then be printed as a line of text, as JSON, or never; it holds no pointer but to
 * names that live as long as the program.  It is for this process only: its octets
 * are no format, and nothing of them is checked when they are read.
 */
#pragma once

#include "base/text.h"

enum log_level {
	LOG_INFO,
	LOG_WARNING,
	LOG_ERROR,
};

struct log_field {
	const char *key; /* a literal, as a record's topic is */
	bool is_number;
	int64_t number;
	struct span text; /* left out of the record when empty and not a number */
};

/* The head of a record, and how far its fields were read. */
struct log_record {
	int64_t wall_ms;
	const char *topic;
	enum log_level level;
	struct span sentence;
	struct span fields; /* those that log_record_next() has not read yet */
};

/* The last second that was written as text: a second's lines share it. */
struct log_clock {
	bool utc; /* "2026-11-22T20:27:25.787Z", else "20:27:25.787" of here */
	int64_t s;
	char text[32];
};

/* Appends a whole record to *out, which is marked failed when memory is short. */
void log_record_pack(int64_t wall_ms, enum log_level level, const char *topic,
	const struct log_field *fields, size_t n_fields, struct span sentence, struct text *out);
/* The record borrows from the octets. */
struct log_record log_record_of(struct span octets);
/* The next field, in the order of packing. */
bool log_record_next(struct log_record *r, struct log_field *ret);
/* The text of a field, or an empty one. */
struct span log_record_text_of(struct log_record r, const char *key);

/* "20:27:25.787 dhcp   warning: sentence\n" */
void log_record_line(struct log_record r, struct log_clock *clock, struct text *out);
/* "time": …, "level": …, "topic": …, the fields, "message": …: the inside of a JSON
 * object, escaped (base/escape.h). */
void log_record_json(struct log_record r, struct log_clock *clock, struct text *out);
