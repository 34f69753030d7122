/* Why a packet or request was dropped: a value, a stable id, a sentence.
 *
 * Bad input from the network is no error of ours: decoders and planners return
 * an enum drop, the daemon counts it, and the log names its id.  Ids are never
 * reused or renumbered; a new reason takes the next free number of its range.
 */
#pragma once

#include <stddef.h>

/* X(name, id, sentence) */
#define DROPS(X)                                                                                                   \
	X(NONE, "D000", "not dropped")                                                                             \
	/* frames and DHCPv4: D001 to D099 */                                                                      \
	X(SHORT, "D001", "shorter than a BOOTP header (236 octets)")                                               \
	X(NOT_REQUEST, "D002", "op is not BOOTREQUEST")                                                            \
	X(HLEN, "D003", "hardware address longer than 16 octets")                                                  \
	X(NO_COOKIE, "D004", "no DHCP magic cookie: plain BOOTP without options")                                  \
	X(NO_MESSAGE_TYPE, "D005", "option 53 is missing: a BOOTP client")                                         \
	X(BAD_MESSAGE_TYPE, "D006", "option 53 names no message that a client sends")                              \
	X(SERVER_MESSAGE, "D007", "a message that only servers send")                                              \
	X(OPTION_PAST_END, "D017", "option runs past the end")                                                     \
	X(NO_MEMORY, "D018", "more options than one packet may hold in memory")                                    \
	X(NO_HARDWARE_ADDRESS, "D019", "neither hardware address nor client identifier")                           \
	X(UNKNOWN_RELAY, "D020", "relayed from a network that is not configured")                                  \
	X(NETWORK_OFF, "D021", "DHCP is off on this network")                                                      \
	X(OTHER_SERVER, "D022", "the client chose another server")                                                 \
	X(UNKNOWN_LEASE, "D023", "the client names an address that we never gave it")                              \
	X(NO_FREE_ADDRESS, "D024", "no free address in the pools of this network")                                 \
	X(NOT_YOUR_LEASE, "D025", "release or decline of an address that is not the client's")                     \
	X(NO_REQUESTED_ADDRESS, "D026", "the request names no address")                                            \
	X(REPLY_TOO_LARGE, "D027", "the reply does not fit the client's maximum size")                             \
	X(TRUNCATED, "D028", "larger than our receive buffer")                                                     \
	X(HOPS, "D029", "more than 16 relay hops")                                                                 \
	X(BAD_MAC, "D030", "the hardware address is zero or a group address")                                      \
	X(CLIENT_ID, "D031", "a client identifier of more than 255 octets")                                        \
	X(STORE_FAILING, "D032", "the lease store cannot write, and this lease is not stored yet")                 \
	X(ADDRESSES_IN_USE, "D033",                                                                                \
		"each address that was to be offered is in use by another machine")                                \
	X(PROBES_FULL, "D034",                                                                                     \
		"offered without asking whether it is in use: too many such questions at once")                    \
	X(PROBE_UNSENT, "D035",                                                                                    \
		"offered without asking whether it is in use: the question could not be sent")                     \
	X(BAD_GIADDR, "D036", "the relay's address is our own, or no host's")                                      \
	X(BAD_CIADDR, "D037", "the client's address is our own, or no host's")                                     \
	X(NOT_AUTHORITATIVE, "D049",                                                                               \
		"this address is another server's to refuse: authoritative is false")                              \
	X(CLIENT_RATE, "D038", "more requests of this client in a second than any machine needs")                  \
	X(STRANGERS_RATE, "D039", "too many requests of unknown clients at once")                                  \
	X(NOT_NETBOOT, "D045", "proxyDHCP is for PXE, UEFI HTTP Boot and iPXE only")                               \
	X(NOTHING_TO_BOOT, "D046", "proxyDHCP has nothing for this machine to boot")                               \
	X(NOT_FOR_PROXY, "D047", "a message for the DHCP server, not for proxyDHCP")                               \
	X(PXE_SOURCE, "D048", "asked on port 4011 from an address outside the network")                            \
	X(DECLINES, "D050",                                                                                        \
		"a DECLINE too many: of this client in ten minutes, or in a pool of which a quarter is set aside") \
	X(UNKNOWN_MACHINE, "D051",                                                                                 \
		"not among the machines of the configuration, and unknown ones are ignored")                       \
	X(MACHINES_FULL, "D052",                                                                                   \
		"as many unknown machines as there is room for, and none of them may be forgotten")                \
	/* frames read raw: D060 to D079 */                                                                        \
	X(FRAME_SHORT, "D060", "frame ends inside a header")                                                       \
	X(FRAME_NOT_IP, "D061", "not an IPv4 frame")                                                               \
	X(FRAME_NOT_UDP, "D062", "not UDP, or a fragment")                                                         \
	X(FRAME_BAD_CHECKSUM, "D063", "IP header or UDP checksum is wrong")                                        \
	X(FRAME_NOT_ARP, "D064", "not an ARP request or reply for IPv4 over Ethernet")                             \
	/* TFTP: D200 to D299 */                                                                                   \
	X(TFTP_SHORT, "D200", "shorter than a TFTP opcode")                                                        \
	X(TFTP_OPCODE, "D201", "an opcode that no client may send here")                                           \
	X(TFTP_NO_NUL, "D202", "a string of the request is not NUL-terminated")                                    \
	X(TFTP_NO_FILE, "D203", "the request names no file")                                                       \
	X(TFTP_MODE, "D204", "the transfer mode is missing or unknown")                                            \
	X(TFTP_OPTIONS, "D205", "more options than a request may have")                                            \
	X(TFTP_REFLECTED, "D206", "from a well-known service port: a loop")                                        \
	X(TFTP_WRONG_PORT, "D207", "from another port than the transfer's")                                        \
	X(TFTP_TOO_MANY, "D208", "too many transfers at once")                                                     \
	X(TFTP_LONG, "D209", "a request of more than 512 octets")                                                  \
	X(TFTP_BROADCAST, "D210", "a request sent to a broadcast address")                                         \
	X(TFTP_FOREIGN, "D211", "from an address outside every network that we serve")                             \
	X(TFTP_RATE, "D212", "more requests of this address in a second than any machine needs")                   \
	/* HTTP: D300 to D399 */                                                                                   \
	X(HTTP_LINE, "D300", "the request line is not METHOD SP TARGET SP HTTP/1.x")                               \
	X(HTTP_VERSION, "D301", "an HTTP version that we do not speak")                                            \
	X(HTTP_METHOD, "D302", "a method that we do not offer")                                                    \
	X(HTTP_TARGET, "D303", "the request target is not an absolute path")                                       \
	X(HTTP_TARGET_LONG, "D304", "the request target is too long")                                              \
	X(HTTP_BARE_CR, "D305", "a bare CR in the head")                                                           \
	X(HTTP_BARE_LF, "D306", "a bare LF in the head")                                                           \
	X(HTTP_NUL, "D307", "a NUL or control octet in the head")                                                  \
	X(HTTP_FOLD, "D308", "a folded header line")                                                               \
	X(HTTP_FIELD_NAME, "D309", "a header name that is no token, or space before the colon")                    \
	X(HTTP_HEAD_LONG, "D310", "the head is larger than 8 KiB")                                                 \
	X(HTTP_LENGTHS, "D311", "two Content-Length headers")                                                      \
	X(HTTP_LENGTH, "D312", "Content-Length is no number")                                                      \
	X(HTTP_LENGTH_AND_CODING, "D313", "both Content-Length and Transfer-Encoding")                             \
	X(HTTP_CODING, "D314", "Transfer-Encoding in a request")                                                   \
	X(HTTP_HOST, "D315", "no Host header, or more than one")                                                   \
	X(HTTP_SLOW_HEAD, "D316", "the head did not arrive in time")                                               \
	X(HTTP_BODY, "D317", "a request body that nothing here takes")                                             \
	X(HTTP_TOO_MANY, "D318", "too many connections at once")                                                   \
	X(HTTP_EXPECT, "D319", "an expectation that we do not meet")                                               \
	X(HTTP_FIELDS, "D320", "more than 64 header lines")                                                        \
	X(HTTP_STALLED, "D321", "the client stopped reading")                                                      \
	X(HTTP_METHOD_UNKNOWN, "D322", "a method that we do not know")                                             \
	X(HTTP_PATH, "D323", "a path with dot segments, %2f, control octets or a broken escape")                   \
	X(HTTP_ABORTED, "D324", "the client went away before the end")                                             \
	X(HTTP_FILE_CHANGED, "D325", "the file changed while it was being sent")                                   \
	X(HTTP_NO_DESCRIPTOR, "D326", "no descriptor is left: connections wait")                                   \
	X(HTTP_TLS, "D327", "a TLS handshake that failed")                                                         \
	X(HTTP_TLS_UNTRUSTED, "D328",                                                                              \
		"the client does not trust the certificate: give it the CA's")                                     \
	X(HTTP_TLS_VERSION, "D329",                                                                                \
		"no TLS version or cipher in common: TLS 1.2 or 1.3 with (EC)DHE and AES-GCM")                     \
	X(HTTP_TLS_PLAIN, "D330", "no TLS on the port of https")                                                   \
	X(HTTP_UPSTREAM, "D331",                                                                                   \
		"the server that the file is fetched from broke off, or sent another file")

enum drop {
#define X(name, id, sentence) DROP_##name,
	DROPS(X)
#undef X
		DROP_COUNT
};

/* "D017" */
const char *drop_id(enum drop d);
/* "option runs past the end" */
const char *drop_sentence(enum drop d);
