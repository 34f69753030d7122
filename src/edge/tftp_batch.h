/* What leaves a TFTP socket in one system call.
 *
 * A message is a packet, or up to 44 blocks of 1468 octets that the kernel or the
 * device cuts apart (UDP_SEGMENT).  Data is sent from where it lies: a message is a
 * list of headers and pieces of file blocks, and the batch holds these until it
 * was sent.  Where the path does not take segments, that is told, and blocks go one by
 * one; an interface that never takes any is remembered.
 */
#pragma once

#include "edge/file_blocks.h"
#include "edge/tftp_socket.h"

#define TFTP_BATCH_MESSAGES 64
#define TFTP_BATCH_HELD     192

enum tftp_sent {
	TFTP_SENT_OFF,   /* or lost: the same to us */
	TFTP_SENT_LATER, /* the socket is full; all that follow share that fate */
	TFTP_SENT_SINGLY /* the path takes no segments: again, block by block */
};

struct tftp_message {
	struct transfer *owner;
	uint64_t first, last; /* blocks; none (0) in an OACK */
	enum tftp_sent sent;
};

struct tftp_batch {
	size_t n;
	struct tftp_message list[TFTP_BATCH_MESSAGES];
	struct tftp_batch_parts *parts;
	uint32_t narrow[16]; /* interfaces that took no segments */
	unsigned n_narrow;
};

/* A zeroed batch.  0 or -ENOMEM. */
int tftp_batch_init(struct tftp_batch *b) WARN_UNUSED;
void tftp_batch_free(struct tftp_batch *b);

/* Room for one more message, however long. */
bool tftp_batch_has_room(const struct tftp_batch *b);
/* How many blocks a message to this peer may have. */
unsigned tftp_batch_blocks_max(
	const struct tftp_batch *b, const struct tftp_peer *peer, uint32_t blksize);

/* Begins the next message.  from: the address to name as the sender, where the
 * socket is bound to none. */
struct tftp_message *tftp_batch_begin(
	struct tftp_batch *b, const struct tftp_peer *peer, bool name_local);
/* A packet as it is, up to TFTP_OACK_MAX octets: the whole message. */
void tftp_batch_put_packet(struct tftp_batch *b, struct span packet);
/* A block's header, then its data in pieces. */
void tftp_batch_put_header(struct tftp_batch *b, uint16_t number);
void tftp_batch_put_data(struct tftp_batch *b, const uint8_t *data, size_t n);
/* Keeps a block that was held for the batch until it is sent. */
void tftp_batch_keep(struct tftp_batch *b, const struct file_block *block);
/* The message is complete; each of its packets but the last has that many octets. */
void tftp_batch_end(struct tftp_batch *b, size_t packet_octets);

/* Sends all, and sets each message's fate.  The list stays until the next reset. */
void tftp_batch_send(struct tftp_batch *b, int fd);
/* Empties it and lets go of the blocks. */
void tftp_batch_reset(struct tftp_batch *b);
