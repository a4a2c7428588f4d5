/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A parsed packet: part of a connection that was allowed, or the beginning of one. */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "connection.h"
#include "evaluate.h"
#include "fragment.h"
#include "packet.h"
#include "parse.h"
#include "report.h"

/* What is the same for every step of one packet. */
struct situation {
	__u64 word, now;
	__u32 slot;
	bool exempt;           /* of the node itself, or of the pod with itself */
	bool hairpin;          /* the pod's own, back through a Service, with an address of the node */
	bool open_without_policy;
};

static __always_inline struct pod *pod_at(__u32 interface)
{
	__u32 place = interface % MAX_PODS;
	struct placed_pod *placed = bpf_map_lookup_elem(&placed_pods, &place);

	if (placed && placed->interface == interface)
		return &placed->pod;
	return bpf_map_lookup_elem(&pods, &interface);
}

static __always_inline void fill_question(struct question *question, const struct connection_key *key,
					  __u32 opener, __u64 word)
{
	question->word = word;
	question->remote = key->remote;
	question->port = opener == EGRESS ? key->remote_port : key->local_port;
	question->protocol = key->protocol;
	question->direction = opener;
}

/* A denial by policy that the pod's mode lets pass all the same. */
static __always_inline bool is_lenient(int cause, const struct situation *situation)
{
	if (cause == CAUSE_POLICY)
		return has_bit(situation->word, POLICY_OBSERVE_BIT);
	return cause == CAUSE_NO_POLICY_YET && situation->open_without_policy;
}

/* Why a packet that could be read does not pass; an observed pod loses none of them. */
static __always_inline bool is_consequence_of_policy(int cause)
{
	return cause == CAUSE_POLICY || cause == CAUSE_NO_POLICY_YET || cause >= CAUSE_NOT_CONNECTED;
}

/* A denial that is counted and reported, and drops nothing. */
static __always_inline bool is_only_reported(int cause, const struct situation *situation)
{
	bool lenient = has_bit(situation->word, POLICY_OBSERVE_BIT) ||
		       (!generation_of(situation->word) && situation->open_without_policy);

	return lenient && is_consequence_of_policy(cause);
}

static __always_inline bool is_service(const struct packet *packet)
{
	struct service_key key = {
		.address = packet->key.remote,
		.port = packet->key.remote_port,
		.protocol = packet->key.protocol,
	};

	return packet->direction == EGRESS && settings.nf_conn_btf_id &&
	       bpf_map_lookup_elem(&services, &key);
}

static __always_inline bool is_open(const struct profile *profile)
{
	return profile->flags & PROFILE_WRITTEN && !profile->n_words;
}

/*
 * TCP in the middle belongs to no connection that a policy allowed. Where the pod has no rules at all there
 * is nothing to protect: it passes, and makes no entry that a later policy would have to trust.
 */
static __always_inline bool is_unrestricted(__u64 word)
{
	__u32 ingress = profile_of(word, INGRESS), egress = profile_of(word, EGRESS);
	struct profile *of_ingress, *of_egress;

	if (!ingress || !egress)
		return false;
	of_ingress = bpf_map_lookup_elem(&profiles, &ingress);
	of_egress = bpf_map_lookup_elem(&profiles, &egress);
	return of_ingress && of_egress && is_open(of_ingress) && is_open(of_egress);
}

/* The decision about a connection that this packet opens. Its entry is in scratch->connection. */
__noinline int decide_opening(struct packet *packet, struct scratch *scratch,
				     const struct situation *situation)
{
	struct connection *connection;
	struct question question;
	int cause;

	if (!packet || !scratch || !situation)
		return CAUSE_TABLES;
	connection = &scratch->connection;
	packet->evaluated = 1;
	begin_connection(connection, packet, situation->slot, situation->now);
	clear_decision(&scratch->decision, situation->word);
	if (situation->exempt) {
		fill_verdict(connection, &scratch->decision);
		connection->flags |= CONNECTION_EXEMPT;
		return CAUSE_NONE;
	}
	if (is_service(packet)) {
		fill_verdict(connection, &scratch->decision);
		connection->flags |= CONNECTION_SERVICE_PENDING;
		return profile_of(situation->word, EGRESS) || situation->open_without_policy
			       ? CAUSE_NONE
			       : CAUSE_NO_POLICY_YET;
	}
	fill_question(&question, &packet->key, packet->direction, situation->word);
	if (situation->hairpin) {
		question.remote = packet->key.local;
		connection->backend = packet->key.local;
		connection->backend_port = packet->key.local_port;
		connection->flags |= CONNECTION_SERVICE_DECIDED;
	}
	cause = evaluate(&question, &scratch->decision);
	if (cause && !is_lenient(cause, situation))
		return cause;
	fill_verdict(connection, &scratch->decision);
	return CAUSE_NONE;
}

static __always_inline void report_opening(const struct packet *packet, struct scratch *scratch,
					   __u64 now)
{
	if (!(scratch->connection.flags & CONNECTION_SERVICE_PENDING))
		report_connection(EVENT_OPENED, &packet->key, &scratch->connection,
				  &scratch->decision, now);
}

/* A packet of no known connection; `old` is one with its key that is over. */
__noinline int open_connection(struct packet *packet, struct scratch *scratch,
				      const struct situation *situation, struct connection *old)
{
	bool tcp;
	int cause;

	if (!packet || !scratch || !situation)
		return CAUSE_TABLES;
	tcp = packet->key.protocol == PROTOCOL_TCP;
	if (tcp && (packet->tcp_flags & (FLAG_SYN | FLAG_ACK)) != FLAG_SYN) {
		if (situation->exempt || is_unrestricted(situation->word))
			return CAUSE_NONE;
		return packet->fragment_offset ? CAUSE_FRAGMENT : CAUSE_NOT_CONNECTED;
	}
	if (packet->fragment_offset)
		return CAUSE_FRAGMENT;
	cause = decide_opening(packet, scratch, situation);
	if (cause)
		return cause;
	if (!old || replace_connection(&packet->key, old, &scratch->connection, situation->now))
		cause = insert_connection(&packet->key, &scratch->connection);
	if (!cause)
		report_opening(packet, scratch, situation->now);
	return cause;
}

/* The policy is another than the one that decided: what it denies is cut on this packet. */
__noinline int decide_again(struct packet *packet, struct connection *connection,
				   struct scratch *scratch, const struct situation *situation)
{
	struct connection *changed;
	struct question question;
	bool undecided, keep;
	int cause = CAUSE_NONE;

	if (!packet || !connection || !scratch || !situation)
		return CAUSE_TABLES;
	undecided = connection->flags & (CONNECTION_EXEMPT | CONNECTION_SERVICE_PENDING);
	/* What no policy has decided yet is not kept: it passed because there was none. */
	keep = has_bit(situation->word, POLICY_KEEP_BIT) && connection->generation;
	changed = &scratch->connection;
	*changed = *connection;
	if (undecided || keep) {
		changed->generation = generation_of(situation->word);
	} else {
		fill_question(&question, &packet->key, connection->opener, situation->word);
		if (connection->flags & CONNECTION_SERVICE_DECIDED) {
			question.remote = connection->backend;
			question.port = connection->backend_port;
		}
		cause = evaluate(&question, &scratch->decision);
		packet->evaluated = 1;
		if (cause && !is_lenient(cause, situation)) {
			end_connection(EVENT_REVOKED, &packet->key, connection, &scratch->decision,
				       situation->now);
			packet->reported = 1;
			return cause;
		}
		fill_verdict(changed, &scratch->decision);
	}
	bpf_map_update_elem(&connections, &packet->key, changed, BPF_EXIST);
	return CAUSE_NONE;
}

/* A SYN on a connection that is open: it goes on until the SYN is answered. */
static __always_inline int reopen_connection(struct packet *packet, struct connection *connection,
					     struct scratch *scratch,
					     const struct situation *situation)
{
	int cause;

	if (connection->state == TCP_CLOSED)
		return open_connection(packet, scratch, situation, connection);
	cause = decide_opening(packet, scratch, situation);
	if (cause)
		return cause;
	count_packet(connection, packet);
	connection->flags |= reopening_by(packet->direction);
	return CAUSE_NONE;
}

/* The answer to such a SYN: the old connection is over. The decision about the new one is made again. */
static __always_inline int restart_connection(struct packet *packet, struct connection *connection,
					      struct scratch *scratch,
					      const struct situation *situation)
{
	struct connection *begun = &scratch->connection;
	__u32 answering = packet->direction;
	int cause;

	packet->direction = answering == EGRESS ? INGRESS : EGRESS;
	cause = decide_opening(packet, scratch, situation);
	packet->direction = answering;
	if (cause)
		return cause;
	begun->packets[0] = 0;
	begun->packets[1] = 0;
	begun->bytes[0] = 0;
	begun->bytes[1] = 0;
	begun->tcp_flags[!answering] = FLAG_SYN;
	begun->tcp_flags[answering & 1] = packet->tcp_flags;
	begun->state = TCP_ANSWERED;
	begun->flags |= CONNECTION_ANSWERED;
	count_packet(begun, packet);
	if (replace_connection(&packet->key, connection, begun, situation->now))
		return CAUSE_NOT_CONNECTED;
	report_opening(packet, scratch, situation->now);
	return CAUSE_NONE;
}

static __always_inline enum step step_of(struct connection *connection, const struct packet *packet)
{
	if (packet->key.protocol == PROTOCOL_TCP)
		return packet->fragment_offset
			       ? STEP_REFRESH
			       : step_of_tcp(connection, packet->direction, packet->tcp_flags);
	if (packet->direction != connection->opener && !(connection->flags & CONNECTION_ANSWERED))
		connection->flags |= CONNECTION_ANSWERED;
	return STEP_REFRESH;
}

static __always_inline int pass_known(struct packet *packet, struct connection *connection,
				      struct scratch *scratch, struct situation *situation)
{
	enum step step;

	/* Only the hook behind the translation knows whether its opener may have an answer. */
	if (connection->flags & CONNECTION_SERVICE_PENDING &&
	    packet->direction != connection->opener)
		return CAUSE_SERVICE_UNDECIDED;
	if (packet->kind == PACKET_ICMP_ERROR) {
		count_packet(connection, packet);
		return CAUSE_NONE;
	}
	step = step_of(connection, packet);
	if (step == STEP_DECIDE)
		return reopen_connection(packet, connection, scratch, situation);
	if (step == STEP_RESTART) {
		/* This packet answers: whether policies apply was said of the one that it answers. */
		situation->exempt = connection->flags & CONNECTION_EXEMPT;
		return restart_connection(packet, connection, scratch, situation);
	}
	if (step == STEP_REFRESH)
		connection->seen = situation->now;
	count_packet(connection, packet);
	return CAUSE_NONE;
}

/* The node's own traffic has a socket here and came from no interface (probes of the kubelet). */
static __always_inline bool is_exempt(struct __sk_buff *skb, const struct pod *pod,
				      const struct packet *packet)
{
	if (packet->direction == EGRESS)
		return is_own(pod, &packet->key.remote);
	return !skb->ingress_ifindex && skb->sk;
}

/* CAUSE_NONE, or why the packet must not pass. */
static __always_inline int decide_flow(struct __sk_buff *skb, struct packet *packet, struct pod *pod,
				       struct scratch *scratch, struct situation *situation)
{
	struct connection *connection;
	int cause = CAUSE_NONE;

	situation->hairpin = packet->direction == INGRESS && skb->ingress_ifindex == skb->ifindex;
	if (packet->fragment_offset)
		cause = recall_fragment(packet, situation->now);
	else if (packet->kind == PACKET_ICMP_ERROR)
		cause = parse_quoted(skb, packet);
	if (cause)
		return is_exempt(skb, pod, packet) ? CAUSE_NONE : cause;
	connection = bpf_map_lookup_elem(&connections, &packet->key);
	if (connection && connection->generation != generation_of(situation->word) &&
	    !is_expired(packet->key.protocol, connection, situation->now)) {
		cause = decide_again(packet, connection, scratch, situation);
		if (cause)
			return cause;
		connection = bpf_map_lookup_elem(&connections, &packet->key);
	}
	if (connection && !is_expired(packet->key.protocol, connection, situation->now)) {
		if ((packet->tcp_flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN)
			situation->exempt = is_exempt(skb, pod, packet);
		cause = pass_known(packet, connection, scratch, situation);
	} else {
		situation->exempt = is_exempt(skb, pod, packet);
		if (packet->kind != PACKET_FLOW)
			return situation->exempt ? CAUSE_NONE : CAUSE_ICMP_UNRELATED;
		cause = open_connection(packet, scratch, situation, connection);
	}
	if (!cause && packet->fragmented && !packet->fragment_offset)
		remember_fragment(packet, situation->now);
	return cause;
}

#endif
