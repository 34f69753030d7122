/* Where a connection stands in its server's tables: among those of its address, among
 * those that do the same, and in the queue for a turn.  Private to edge/http_*.c.
 *
 * Links and counts; sends nothing, closes nothing.
 */
#pragma once

#include "edge/http_conn.h"

/* At the beginning, as one whose head is coming.  -ENOMEM. */
int http_place_join(struct http_conn *c) WARN_UNUSED;
/* At its end: out of every table. */
void http_place_leave(struct http_conn *c);
/* By what its session does now. */
void http_place_classify(struct http_conn *c);

/* It has more to send than leaves at once: first come, first served.  The loop does not
 * sleep while one waits. */
void http_place_queue(struct http_conn *c);
void http_place_unqueue(struct http_conn *c);
