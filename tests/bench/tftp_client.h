/* One TFTP client: a read request, its transfer, each octet compared with the
 * file (RFC 1350, 2347, 2348, 7440).
 *
 * Behaves as firmware does: default receive buffer, no UDP_GRO, an ACK at the
 * end of each window, one ACK for a gap, the last packet again after a timeout. */
#pragma once

#include "load.h"

struct tftp_job {
	struct sockaddr_in server; /* where requests go */
	const char *name;
	struct file expected;
	unsigned blksize, windowsize; /* asked for; 512 and 1 are not asked for */
	int64_t timeout_us;
	unsigned tries; /* of one packet */
};

struct tftp_counts {
	uint64_t octets;
	unsigned long resent;     /* requests and ACKs sent again after a timeout */
	unsigned long duplicates; /* DATA that had come already */
	unsigned long gaps;       /* DATA that was missing */
};

enum tftp_state {
	TFTP_ASKING,
	TFTP_RUNNING,
	TFTP_DONE,
	TFTP_FAILED,
};

struct tftp_client {
	const struct tftp_job *job;
	int fd;
	enum tftp_state state;
	const char *why; /* of FAILED */
	unsigned blksize, windowsize, since_ack, tries;
	uint64_t next; /* number of the block that is due, not wrapped */
	bool gap_told, hold;
	int64_t began_us, heard_us;
};

/* Opens a socket and sends the request.  With hold it takes the first packet of
 * data, and then leaves the server waiting. */
void tftp_client_begin(
	struct tftp_client *c, const struct tftp_job *job, struct in_addr local, bool hold);
/* Reads a batch; the state says what came of it.  The caller closes fd. */
void tftp_client_read(struct tftp_client *c, struct tftp_counts *counts);
/* Sends again, or gives up, when it is time. */
void tftp_client_tick(struct tftp_client *c, int64_t now, struct tftp_counts *counts);
