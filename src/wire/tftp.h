/* TFTP packets: octets to structs and back.
 *
 * Decodes what a client may send (RRQ, WRQ, ACK, ERROR) and encodes what a
 * read-only server sends (DATA, OACK, ERROR).  Refuses anything else; knows
 * neither files nor transfers: which option values are acceptable is
 * core/tftp_session.h's business.
 * Sources: RFC 1350 5, RFC 2347 (options, 512 octets a request), RFC 2348,
 * RFC 2349, RFC 7440.
 */
#pragma once

#include "base/bytes.h"
#include "base/drop.h"

#define TFTP_REQUEST_MAX 512 /* RFC 2347: a request, options included */
#define TFTP_OPTIONS_MAX 16
#define TFTP_HEADER_LEN  4 /* of ACK and DATA */

enum tftp_opcode {
	TFTP_RRQ = 1,
	TFTP_WRQ = 2,
	TFTP_DATA = 3,
	TFTP_ACK = 4,
	TFTP_ERROR = 5,
	TFTP_OACK = 6,
};

/* RFC 1350 appendix, RFC 2347 */
enum tftp_error {
	TFTP_ERROR_OTHER = 0,
	TFTP_ERROR_NOT_FOUND = 1,
	TFTP_ERROR_ACCESS = 2,
	TFTP_ERROR_DISK_FULL = 3,
	TFTP_ERROR_ILLEGAL = 4,
	TFTP_ERROR_UNKNOWN_TID = 5,
	TFTP_ERROR_EXISTS = 6,
	TFTP_ERROR_NO_USER = 7,
	TFTP_ERROR_OPTIONS = 8,
};

enum tftp_mode {
	TFTP_MODE_OTHER, /* "mail", or nothing that any RFC names */
	TFTP_MODE_OCTET,
	TFTP_MODE_NETASCII,
};

struct tftp_option {
	struct span name, value; /* as sent, without their NULs */
};

struct tftp_request {
	struct span file; /* as sent, not empty; see tftp_session_path() */
	enum tftp_mode mode;
	struct tftp_option options[TFTP_OPTIONS_MAX];
	size_t n_options;
};

struct tftp_packet {
	enum tftp_opcode opcode; /* TFTP_RRQ, TFTP_WRQ, TFTP_ACK or TFTP_ERROR */
	union {
		struct tftp_request request; /* of RRQ and WRQ */
		uint16_t block;              /* of ACK */
		struct {
			uint16_t code;
			struct span text; /* up to its NUL; may be empty */
		} error;
	};
};

/* DROP_NONE, or why this is no packet that a client may send (*ret_packet is
 * then undefined).  The spans of *ret_packet point into s. */
enum drop tftp_decode(struct span s, struct tftp_packet *ret_packet);

/* The value of the first option of that name, in either case (RFC 2347), or
 * NULL.  A repeated option is one option: the first counts. */
const struct span *tftp_option_find(const struct tftp_request *request, struct span name);

/* Decimal digits and nothing else; a number past 64 bits reads as UINT64_MAX,
 * so that "too large" stays comparable.  0, or -EINVAL. */
int tftp_number(struct span s, uint64_t *ret_number) WARN_UNUSED;

/* The four octets before the data of a block. */
void tftp_put_data(struct wr *w, uint16_t block);
/* An OACK is this and then one tftp_put_option() for each option agreed on. */
void tftp_put_oack(struct wr *w);
void tftp_put_option(struct wr *w, struct span name, uint64_t value);
/* A sentence for people, without any path of ours (promise T-4); cut where it
 * does not fit w. */
void tftp_put_error(struct wr *w, uint16_t code, struct span sentence);
