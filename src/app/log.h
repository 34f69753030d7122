/* The log: one line per event on standard output, for people or for machines.
 *
 * A line says what happened in a sentence; its fields say the same for
 * machines (--log-format json: one JSON object per line with time, level,
 * topic, message and the fields).  Sentences must be escaped where they quote
 * a client (base/escape.h); fields are escaped here.
 * It keeps no files, and waits for nobody: lines that the reader of its
 * descriptor does not take are lost, and counted in the line that follows.
 */
#pragma once

#include "app/log_record.h"
#include "base/drop.h"

#define FIELD_TEXT(k, s) ((struct log_field){ .key = (k), .text = (s) })
#define FIELD_STR(k, s)  ((struct log_field){ .key = (k), .text = span_str(s) })
#define FIELD_NUMBER(k, v)                                                                         \
	((struct log_field){ .key = (k), .is_number = true, .number = (int64_t)(v) })

/* A number that is left out when it is zero. */
#define FIELD_SOME(k, v)                                                                           \
	((struct log_field){ .key = (k), .is_number = (v) != 0, .number = (int64_t)(v) })

struct log;

/* Writes to fd, which the caller keeps open.  -ENOMEM. */
int log_new(int fd, bool json, struct log **ret) WARN_UNUSED;
void log_free(struct log *l);

/* One line.  topic: "dhcp", "tftp", "http", "net", "config", "serve". */
void log_event(struct log *l, enum log_level level, const char *topic,
	const struct log_field *fields, size_t n_fields, const char *fmt, ...) PRINTF(6, 7);
/* The same in two steps, for a line that waits until its event is over: packs its
 * record (app/log_record.h), with the time of now. */
void log_compose(enum log_level level, const char *topic, const struct log_field *fields,
	size_t n_fields, struct span sentence, struct text *ret_record);
void log_write(struct log *l, const struct text *record);
/* Between these, lines are collected and leave together with one write: for a
 * batch of packets.  They may be nested. */
void log_hold(struct log *l);
void log_release(struct log *l);
/* Who else wants each record when its line is written; NULL: nobody. */
typedef void (*log_observer)(void *ctx, struct span record);
void log_set_observer(struct log *l, log_observer observer, void *ctx);
/* A line without fields. */
void log_say(struct log *l, enum log_level level, const char *topic, const char *fmt, ...)
	PRINTF(4, 5);

/* Counts a dropped packet; true when it deserves a line: each reason gets one a
 * second, so that a flood of bad packets is not a flood of lines.  *ret_hidden:
 * how many of this reason went without a line since the last one. */
bool log_drop_due(struct log *l, enum drop why, unsigned long *ret_hidden);
/* How often a reason occurred since the start. */
unsigned long log_drop_count(const struct log *l, enum drop why);
