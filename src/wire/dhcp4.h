/* DHCPv4 messages: octets to struct and back.
 *
 * After dhcp4_decode nobody sees PAD, END, overload or split options again:
 * opt[code] is the whole value of an option, joined as RFC 3396 wants.  The
 * codec knows nothing of leases, networks or what an option is for.
 * RFC 951, 1542, 2131 (2, 4.1), 2132 (9.3), 3396, 3046 (2.2), 6842.
 */
#pragma once

#include "base/addr.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/drop.h"

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68

#define DHCP4_BOOTREQUEST    1
#define DHCP4_BOOTREPLY      2
#define DHCP4_HTYPE_ETHERNET 1
#define DHCP4_FLAG_BROADCAST 0x8000u

/* A server must pad to the size of a BOOTP message: RFC 951 3, and PXE ROMs
 * that drop anything shorter. */
#define DHCP4_REPLY_MIN 300u
/* What a client that says nothing takes (RFC 2131 2): 576 octets of IP datagram. */
#define DHCP4_DATAGRAM_MIN   576u
#define DHCP4_IP_UDP_HEADERS 28u

enum dhcp4_type {
	DHCP4_BOOTP, /* no option 53: a BOOTP request (RFC 951, 1534) */
	DHCP4_DISCOVER,
	DHCP4_OFFER,
	DHCP4_REQUEST,
	DHCP4_DECLINE,
	DHCP4_ACK,
	DHCP4_NAK,
	DHCP4_RELEASE,
	DHCP4_INFORM,
	DHCP4_BOOTREPLY_ONLY, /* never on the wire: a reply without option 53 */
};

enum dhcp4_option {
	OPT_PAD = 0,
	OPT_SUBNET_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOSTNAME = 12,
	OPT_DOMAIN = 15,
	OPT_BROADCAST = 28,
	OPT_VENDOR_SPECIFIC = 43,
	OPT_REQUESTED_ADDRESS = 50,
	OPT_LEASE_TIME = 51,
	OPT_OVERLOAD = 52,
	OPT_MESSAGE_TYPE = 53,
	OPT_SERVER_ID = 54,
	OPT_PARAMETER_LIST = 55,
	OPT_MESSAGE = 56,
	OPT_MAX_SIZE = 57,
	OPT_RENEWAL_TIME = 58,
	OPT_REBINDING_TIME = 59,
	OPT_VENDOR_CLASS = 60,
	OPT_CLIENT_ID = 61,
	OPT_TFTP_SERVER = 66,
	OPT_BOOTFILE = 67,
	OPT_USER_CLASS = 77,
	OPT_RELAY_AGENT = 82,
	OPT_CLIENT_ARCH = 93,
	OPT_CLIENT_NDI = 94,
	OPT_MACHINE_ID = 97,
	OPT_SUBNET_SELECTION = 118,
	OPT_IPXE = 175,
	OPT_END = 255,
};

#define DHCP4_ORDER_MAX 48u

struct dhcp4_msg {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	struct ip4 ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	struct span sname, file; /* empty where option 52 made them option space */
	struct span opt[256];    /* p == NULL: absent; present ones may be empty */
	uint8_t order
		[DHCP4_ORDER_MAX]; /* the codes as they first appear: it tells firmware apart */
	size_t n_order;
	enum dhcp4_type type;
};

static inline bool dhcp4_has(const struct dhcp4_msg *m, enum dhcp4_option code)
{
	return m->opt[code].p != NULL;
}

/* Decodes a message, from a client or a server.  Spans point into packet or
 * into a.  On a drop, ret_msg holds what was read so far and is good for
 * logging only; but DROP_NO_COOKIE and DROP_NO_MESSAGE_TYPE are those of a whole
 * BOOTP request, and its type is DHCP4_BOOTP. */
enum drop dhcp4_decode(struct arena *a, struct span packet, struct dhcp4_msg *ret_msg);

/* True and *ret set when the option is there with exactly that size. */
bool dhcp4_opt_u8(const struct dhcp4_msg *m, enum dhcp4_option code, uint8_t *ret);
bool dhcp4_opt_u16(const struct dhcp4_msg *m, enum dhcp4_option code, uint16_t *ret);
bool dhcp4_opt_ip4(const struct dhcp4_msg *m, enum dhcp4_option code, struct ip4 *ret);
/* A sub-option of option 82 (RFC 3046 2.0), or an empty span; malformed lists
 * give what stands before the fault. */
struct span dhcp4_relay_suboption(struct span option82, uint8_t code);
#define RELAY_CIRCUIT_ID     1
#define RELAY_REMOTE_ID      2
#define RELAY_LINK_SELECTION 5  /* RFC 3527 */
#define RELAY_SERVER_ID      11 /* RFC 5107 */

/* "DISCOVER", …; "type 17" has no name and gives "?". */
const char *dhcp4_type_name(enum dhcp4_type t);

struct dhcp4_out_option {
	uint8_t code;
	bool needed; /* without it the reply is worthless; others are left out when room is short */
	struct span value;
};

#define DHCP4_OUT_OPTIONS_MAX 128

/* A message to be encoded; options leave in the order in which they were added. */
struct dhcp4_out {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	struct ip4 ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	struct span sname, file; /* cut at 63 and 127 octets, NUL-padded */
	bool may_overload;       /* an empty sname or file may carry options (52) */
	bool failed;             /* an option is missing for want of memory: not to be sent */
	struct dhcp4_out_option options[DHCP4_OUT_OPTIONS_MAX];
	size_t n_options;
};

/* Adds an option whose value the caller keeps alive until the encoding; an
 * empty value is left out, and so are those past DHCP4_OUT_OPTIONS_MAX. */
void dhcp4_out_add(struct dhcp4_out *out, enum dhcp4_option code, bool needed, struct span value);
/* As above, a number whose octets live in a; marks out failed when a is exhausted. */
void dhcp4_out_add_u32(
	struct dhcp4_out *out, struct arena *a, enum dhcp4_option code, bool needed, uint32_t v);
/* Gives the option that value in its place, or adds it as one that is not needed. */
void dhcp4_out_set(struct dhcp4_out *out, enum dhcp4_option code, struct span value);
/* Encodes into w, at most max_size octets of UDP payload, padded to
 * DHCP4_REPLY_MIN even where max_size is less.  Values over 255 octets are split (RFC 3396).
 * What does not fit the option field goes to file and sname where it may (option
 * 52, RFC 2131 4.1), and only what does not fit there either is left out: the
 * last of those that are not needed.  Needed ones stay in the option field.
 * -EMSGSIZE when the needed options alone do not fit. */
int dhcp4_encode(const struct dhcp4_out *out, size_t max_size, struct wr *w) WARN_UNUSED;
