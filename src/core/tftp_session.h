/* One TFTP transfer as a pure state machine: (state, input, now) to (what to
 * send, until when to wait, how it ended).
 *
 * The caller owns packets, sockets, files and clock; it sends what an action
 * says, and calls tftp_session_tick() at session.deadline_ms.  Blocks are
 * counted here from 1 without wrapping; on the wire they wrap from 65535 to 0.
 *
 * Sources: RFC 1350, RFC 1123 4.2.3 (Sorcerer's Apprentice, adaptive timeout),
 * RFC 2347 to 2349 (options), RFC 6298 (round trips), RFC 7440 (windowsize, pace); the
 * promises T-6 to T-16.
 */
#pragma once

#include "wire/tftp.h"

#define TFTP_BLKSIZE_MIN     8
#define TFTP_BLKSIZE_MAX     65464
#define TFTP_BLKSIZE_DEFAULT 512
/* Half of the block numbers: of a larger window, an ACK that comes late would look
 * like one from inside it. */
#define TFTP_WINDOWSIZE_MAX    32767
#define TFTP_FLIGHT_MAX        (2u << 20) /* octets in one window */
#define TFTP_OACK_MAX          (64 + 4 * 24)
#define TFTP_TIMEOUT_DEFAULT_S 1
#define TFTP_RESEND_MIN_MS     200   /* OVMF in software emulation takes tens of ms for a window */
#define TFTP_GIVE_UP_MS        60000 /* without progress; promise T-16 */
#define TFTP_PATH_MAX          255   /* as long as option 67 can name one */

/* What the two sides agreed on. */
struct tftp_terms {
	uint64_t size; /* of the file, in octets */
	uint32_t blksize, windowsize, timeout_s;
	/* Named by the client and obeyed, so named in the OACK.  Without any of
	 * them there is no OACK, and the first packet is DATA (RFC 2347). */
	bool has_blksize, has_windowsize, has_timeout, has_tsize;
};

/* How a transfer ended. */
enum tftp_outcome {
	TFTP_RUNNING,
	TFTP_SENT,       /* every block acknowledged */
	TFTP_PROBE,      /* EDK2 wanted only the size: RRQ, OACK, ERROR; no failure */
	TFTP_REFUSED,    /* we answered the request with an ERROR */
	TFTP_ABORTED,    /* the client sent an ERROR */
	TFTP_TIMEOUT,    /* silence for 60 s */
	TFTP_EVICTED,    /* never acknowledged, and its place was needed */
	TFTP_SUPERSEDED, /* the client asked anew from the same port */
	TFTP_CHANGED,    /* the file changed in place */
	TFTP_FAILED,     /* we could not read the file or open a socket */
	TFTP_STOPPED,    /* the server stopped */
};

enum tftp_send {
	TFTP_SEND_NOTHING,
	TFTP_SEND_OACK,
	TFTP_SEND_BLOCKS, /* first to last, both included */
};

struct tftp_action {
	enum tftp_send send;
	uint64_t first, last;
};

struct tftp_session {
	struct tftp_terms terms;
	enum tftp_outcome outcome; /* TFTP_RUNNING until it ends */
	uint64_t deadline_ms;      /* when to call tftp_session_tick() */
	bool proven;               /* an ACK came: the address is no forgery */
	bool oack_open;            /* an OACK waits for its ACK(0) */
	bool fresh;                /* what is outstanding was sent only once */
	bool restarted;            /* this window was restarted for an ACK already */
	bool held;                 /* what was to be sent has not left yet */
	unsigned oacks;            /* sent so far */
	unsigned backoff;          /* timer resends since the last progress */
	uint64_t final;            /* the block that ends the transfer: the first short one */
	uint64_t acked, sent;      /* blocks, 0 = none; sent is the furthest */
	uint64_t resent;           /* packets sent again */
	uint64_t progress_ms;      /* when the client last got further */
	uint64_t window_ms;        /* when we last sent */
	uint64_t restart_ms;       /* when to restart the window, 0 = not wanted */
	uint64_t next;             /* the block that is to be sent next, up to window_last */
	uint64_t window_last;      /* the window's last block */
	uint64_t burst_ms;         /* when to send the next piece of it, 0 = none is left */
	uint32_t burst;            /* blocks that leave at once */
	uint32_t clean, patience;  /* windows that arrived whole; how many double the burst */
	/* RFC 6298: the smoothed round trip times 8, its variation times 4 (0: not
	 * measured yet), and how long to wait for an answer. */
	uint32_t srtt8_ms, rttvar4_ms, resend_ms;
};

/* The name that a client asked for, relative to the root: '/' and '\' both
 * separate, leading and doubled ones go.  Refused with -EINVAL: "." and ".."
 * segments, control octets, a separator at the end, nothing left, or more than
 * TFTP_PATH_MAX octets.  *ret_path points into buf. */
int tftp_session_path(
	struct span name, uint8_t buf[TFTP_PATH_MAX], struct span *ret_path) WARN_UNUSED;

/* Which of the request's options we obey, and how: unknown options, and values
 * that the RFCs forbid, are left out; too large a blksize is lowered, and a
 * windowsize that makes more than TFTP_FLIGHT_MAX octets.  path_mtu is in octets, IP header included. */
struct tftp_terms tftp_session_negotiate(
	const struct tftp_request *request, uint64_t size, unsigned path_mtu);

bool tftp_session_has_options(const struct tftp_terms *terms);
/* The OACK of these terms; needs up to TFTP_OACK_MAX octets. */
void tftp_session_put_oack(const struct tftp_terms *terms, struct wr *w);

/* Each gives what to send now, and sets session->deadline_ms and ->outcome.
 * Once the outcome is set they do nothing.  now_ms is monotonic. */
struct tftp_action tftp_session_start(
	struct tftp_session *s, const struct tftp_terms *terms, uint64_t now_ms);
struct tftp_action tftp_session_ack(struct tftp_session *s, uint16_t block, uint64_t now_ms);
struct tftp_action tftp_session_tick(struct tftp_session *s, uint64_t now_ms);
/* The same request again, from the same port. */
struct tftp_action tftp_session_repeat(struct tftp_session *s, uint64_t now_ms);
/* The caller cannot send just now all that it was told to (the disk, a full socket):
 * until tftp_session_released() no timer resends it, for nobody has had it. */
void tftp_session_hold(struct tftp_session *s);
void tftp_session_released(struct tftp_session *s, uint64_t now_ms);
/* An ERROR from the client. */
void tftp_session_error(struct tftp_session *s, uint16_t code);

/* True when the client has let several resends pass: a repeated request then
 * comes from a machine that began anew (BIOS ROMs always use port 2070), not
 * from the network's duplication of the first one. */
bool tftp_session_is_silent(const struct tftp_session *s, uint64_t now_ms);

/* Where a block lies in the file, and how many octets of it it carries (0 to
 * blksize: the last one is short, maybe empty). */
uint64_t tftp_session_offset(const struct tftp_terms *terms, uint64_t block);
uint32_t tftp_session_length(const struct tftp_terms *terms, uint64_t block);
/* Octets of the file that the client acknowledged. */
uint64_t tftp_session_octets(const struct tftp_session *s);

/* "sent", "probe", …: a stable word for logs. */
const char *tftp_session_outcome_name(enum tftp_outcome outcome);
