/* A transfer, for those who run it: tftp_pool.c (its life) and tftp_send.c (what
 * leaves). */
#pragma once

#include "edge/tftp_pool.h"

struct transfer {
	struct tftp_pool *pool;
	struct tftp_client *client;
	struct transfer *prev, *next;                 /* of pool->half_open, ->proven or ->asked */
	struct transfer *sibling_prev, *sibling_next; /* of client->transfers */
	struct transfer *send_prev, *send_next;       /* of port->sendable */
	struct transfer *bucket_next;
	struct tftp_pending *pending; /* resolve() has not answered */
	struct tftp_port *listener;   /* that the request came to; NULL: closed since */
	struct tftp_port *port;       /* NULL: none yet */
	struct tftp_peer peer;
	struct tftp_session session;
	struct block_file *file; /* NULL: not begun */
	struct block_wait wait;  /* for a block that is to be sent next */
	struct timer_node timer;
	void *cookie;
	uint64_t next_block, last_block; /* still to be sent; none when next is larger */
	uint64_t started_us;
	enum tftp_outcome broken; /* found while sending; ends it after that */
	bool half_open;           /* in pool->half_open: nothing acknowledged yet */
	bool single_port;
	bool queued; /* in port->sendable */
	bool oack_due, singly;
	uint16_t request_len;
	uint8_t request[]; /* the packet, to know its repetition and for done() */
};

_Static_assert(sizeof(struct transfer) + TFTP_REQUEST_MAX < 1024, "promise T-14: less than 4 KiB");

/* Puts it in its port's queue. */
void transfer_queue(struct transfer *t);
void transfer_unqueue(struct transfer *t);
/* Nothing is in the queue of this port any more. */
void tftp_send_nothing(struct tftp_port *port);
/* Sends what stands in the queues, from each as much as is its turn; the rest when its
 * socket is writable. */
void tftp_send_all(struct tftp_pool *pool);
/* From tftp_send.c to tftp_pool.c: the session's deadline has changed; it must end
 * as t->broken says. */
void transfer_set_timer(struct transfer *t);
void transfer_break(struct transfer *t);
