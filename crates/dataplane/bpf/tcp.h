/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What one packet of a known connection does to it. Sequence numbers are not followed, so a forged reset
 * may close an entry; the opener's next packet then opens it again.
 */
#ifndef WEIR_TCP_H
#define WEIR_TCP_H

#include "packet.h"

enum step {
	STEP_PASS,    /* without prolonging its life */
	STEP_REFRESH,
	STEP_DECIDE,  /* somebody opens a connection with these ports */
	STEP_RESTART, /* and that opening is answered */
};

static __always_inline __u8 reopening_by(__u32 direction)
{
	return direction == EGRESS ? CONNECTION_REOPENING_BY_EGRESS
				   : CONNECTION_REOPENING_BY_INGRESS;
}

static __always_inline enum step enter(struct connection *connection, enum tcp_state state)
{
	connection->state = state;
	return STEP_REFRESH;
}

static __always_inline bool both_finished(const struct connection *connection)
{
	return connection->tcp_flags[0] & connection->tcp_flags[1] & FLAG_FIN;
}

static __always_inline enum step step_of_syn(const struct connection *connection, bool by_opener)
{
	if (!by_opener)
		return STEP_DECIDE;
	if (connection->state == TCP_OPENING)
		return STEP_REFRESH;
	return connection->state == TCP_ANSWERED ? STEP_PASS : STEP_DECIDE;
}

static __always_inline enum step step_of_closed(struct connection *connection, bool by_opener,
						__u8 flags)
{
	bool plain = (flags & (FLAG_ACK | FLAG_SYN | FLAG_FIN | FLAG_RST)) == FLAG_ACK;

	if (!by_opener || !plain || !(connection->flags & CONNECTION_ANSWERED) ||
	    both_finished(connection))
		return STEP_PASS;
	if ((connection->tcp_flags[0] | connection->tcp_flags[1]) & FLAG_FIN)
		return enter(connection, TCP_CLOSING);
	return enter(connection, TCP_OPEN);
}

static __always_inline enum step step_of_tcp(struct connection *connection, __u32 direction,
					     __u8 flags)
{
	bool by_opener = direction == connection->opener;
	bool answers = (flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK);
	bool finishes = flags & FLAG_FIN;

	if ((flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN)
		return step_of_syn(connection, by_opener);
	if (answers && connection->flags & reopening_by(!direction))
		return STEP_RESTART;
	connection->tcp_flags[direction & 1] |= flags;
	if (flags & FLAG_RST)
		return connection->state == TCP_CLOSED ? STEP_PASS : enter(connection, TCP_CLOSED);
	switch (connection->state) {
	case TCP_OPENING:
		if (by_opener || !answers)
			return STEP_PASS;
		connection->flags |= CONNECTION_ANSWERED;
		return enter(connection, TCP_ANSWERED);
	case TCP_ANSWERED:
		if (by_opener && flags & FLAG_ACK)
			return enter(connection, finishes ? TCP_CLOSING : TCP_OPEN);
		return finishes ? STEP_PASS : STEP_REFRESH;
	case TCP_OPEN:
		return finishes ? enter(connection, TCP_CLOSING) : STEP_REFRESH;
	case TCP_CLOSING:
		if (finishes && both_finished(connection))
			return enter(connection, TCP_CLOSED);
		return finishes ? STEP_PASS : STEP_REFRESH;
	}
	return step_of_closed(connection, by_opener, flags);
}

#endif
