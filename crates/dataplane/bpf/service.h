/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Behind the translation of Services: the connection tracker's entry has both the address that the pod
 * asked for (where its first tuple leads) and the real backend (where the answer comes from).
 */
#ifndef WEIR_SERVICE_H
#define WEIR_SERVICE_H

#include "flow.h"

enum netfilter_verdict {
	NETFILTER_DROP,
	NETFILTER_ACCEPT,
};

enum {
	FAMILY_IPV4 = 2,
	TRACKING_DIRECTION = 7, /* the low bits of sk_buff._nfct; from 3 on it is a reply */
	TRACKING_RELATED = 1,
	TRACKING_REPLY = 3,
};

extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *bytes) __ksym;

static __always_inline void set_tracked(struct address *address, const union nf_inet_addr *tracked,
					bool ipv4)
{
	if (ipv4) {
		set_ipv4(address, tracked->all[0]);
		return;
	}
	address->words[0] = tracked->all[0];
	address->words[1] = tracked->all[1];
	address->words[2] = tracked->all[2];
	address->words[3] = tracked->all[3];
}

struct translation {
	struct connection_key key; /* as from_pod saw it */
	struct address backend;
	__u32 backend_port;
};

static __always_inline void fill_translation(struct translation *translation, struct nf_conn *tracked)
{
	struct nf_conntrack_tuple *asked = &tracked->tuplehash[0].tuple;
	struct nf_conntrack_tuple *answer = &tracked->tuplehash[1].tuple;
	struct connection_key *key = &translation->key;
	bool ipv4 = asked->src.l3num == FAMILY_IPV4;

	set_tracked(&key->local, &asked->src.u3, ipv4);
	set_tracked(&key->remote, &asked->dst.u3, ipv4);
	set_tracked(&translation->backend, &answer->src.u3, ipv4);
	key->protocol = asked->dst.protonum;
	if (has_ports(key->protocol)) {
		key->local_port = bpf_ntohs(asked->src.u.all);
		key->remote_port = bpf_ntohs(asked->dst.u.all);
		translation->backend_port = bpf_ntohs(answer->src.u.all);
	} else if (key->protocol == PROTOCOL_ICMP || key->protocol == PROTOCOL_ICMPV6) {
		key->local_port = bpf_ntohs(asked->src.u.all);
		key->remote_port = ICMP_ECHO_BY_EGRESS;
	}
}

static __always_inline bool is_translated(const struct translation *translation)
{
	if (!same_address(&translation->key.remote, &translation->backend))
		return true;
	return has_ports(translation->key.protocol) &&
	       translation->key.remote_port != translation->backend_port;
}

static __always_inline struct pod *pod_of(const struct address *address)
{
	__u32 *interface = bpf_map_lookup_elem(&local_addresses, address);

	return interface ? pod_at(*interface) : 0;
}

static __always_inline bool is_decided(const struct connection *connection,
				       const struct translation *translation, __u64 word)
{
	return connection->flags & CONNECTION_SERVICE_DECIDED &&
	       connection->generation == generation_of(word) &&
	       connection->backend_port == translation->backend_port &&
	       same_address(&connection->backend, &translation->backend);
}

static __always_inline int decide_backend(struct packet *packet, struct connection *connection,
					  const struct translation *translation,
					  struct scratch *scratch, const struct situation *situation)
{
	struct connection *changed = &scratch->connection;
	bool first = !(connection->flags & CONNECTION_SERVICE_DECIDED);
	struct question question = {
		.word = situation->word,
		.remote = translation->backend,
		.port = translation->backend_port,
		.protocol = translation->key.protocol,
		.direction = EGRESS,
	};
	int cause = CAUSE_NONE;

	clear_decision(&scratch->decision, situation->word);
	cause = evaluate(&question, &scratch->decision);
	scratch->decision.backend = translation->backend;
	scratch->decision.backend_port = translation->backend_port;
	if (cause && !is_lenient(cause, situation)) {
		if (!(connection->flags & CONNECTION_SERVICE_PENDING)) {
			end_connection(EVENT_REVOKED, &packet->key, connection, &scratch->decision,
				       situation->now);
			packet->reported = 1;
		} else if (!bpf_map_delete_elem(&connections, &packet->key)) {
			return_share(situation->slot, packet->key.pod);
		}
		return cause;
	}
	*changed = *connection;
	fill_verdict(changed, &scratch->decision);
	changed->flags &= ~CONNECTION_SERVICE_PENDING;
	changed->flags |= CONNECTION_SERVICE_DECIDED;
	changed->backend = translation->backend;
	changed->backend_port = translation->backend_port;
	if (bpf_map_update_elem(&connections, &packet->key, changed, BPF_EXIST))
		return CAUSE_SERVICE_UNDECIDED;
	if (first)
		report_connection(EVENT_OPENED, &packet->key, changed, &scratch->decision,
				  situation->now);
	return CAUSE_NONE;
}

static __always_inline int decide_translated(struct packet *packet,
					     const struct translation *translation,
					     struct scratch *scratch,
					     const struct situation *situation)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &packet->key);

	/* from_pod lets nothing pass that it has no entry for, but for pods that lose nothing. */
	if (!connection)
		return is_unrestricted(situation->word) ? CAUSE_NONE : CAUSE_SERVICE_UNDECIDED;
	if (is_decided(connection, translation, situation->word) || connection->opener != EGRESS)
		return CAUSE_NONE;
	return decide_backend(packet, connection, translation, scratch, situation);
}

static __always_inline bool read_ends(struct bpf_nf_ctx *context, struct packet *packet)
{
	struct ipv4_header ipv4;
	struct ipv6_header ipv6;
	struct bpf_dynptr bytes;

	if (bpf_dynptr_from_skb((struct __sk_buff *)context->skb, 0, &bytes) ||
	    bpf_dynptr_read(&ipv4, sizeof(ipv4), &bytes, 0, 0))
		return false;
	if (ipv4.version_and_words >> 4 == 4) {
		set_ipv4(&packet->key.local, ipv4.source);
		set_ipv4(&packet->key.remote, ipv4.destination);
		packet->key.protocol = ipv4.protocol;
		return true;
	}
	if (bpf_dynptr_read(&ipv6, sizeof(ipv6), &bytes, 0, 0))
		return false;
	packet->key.local = ipv6.source;
	packet->key.remote = ipv6.destination;
	packet->key.protocol = ipv6.next;
	return true;
}

/* Of what is not tracked, say because of a checksum, nothing is translated either: no rule speaks of it. */
static __always_inline int decide_untracked(struct bpf_nf_ctx *context, struct packet *packet)
{
	struct service_key whole = {};

	if (!read_ends(context, packet))
		return CAUSE_SERVICE_UNDECIDED;
	whole.address = packet->key.remote;
	return bpf_map_lookup_elem(&services, &whole) ? CAUSE_SERVICE_UNDECIDED : CAUSE_NONE;
}

/* Counts what does not pass, or only would not. */
static __always_inline int verdict_on(int cause, const struct packet *packet,
				      struct scratch *scratch, const struct situation *situation)
{
	if (!cause)
		return NETFILTER_ACCEPT;
	count_denial(packet, &scratch->decision, cause, situation->now);
	return is_only_reported(cause, situation) ? NETFILTER_ACCEPT : NETFILTER_DROP;
}

static __always_inline bool begin_situation(struct situation *situation, const struct pod *pod)
{
	__u32 slot = pod->slot;
	__u64 *word = bpf_map_lookup_elem(&policies, &slot);

	if (!word)
		return false;
	situation->word = *(volatile __u64 *)word;
	situation->slot = slot;
	situation->open_without_policy = pod->flags & POD_OPEN_UNTIL_POLICY;
	/* The coarse clock, a tick behind this one at most, is not for programs of this type. */
	situation->now = bpf_ktime_get_ns();
	return true;
}

static __always_inline int decide_behind_service(struct bpf_nf_ctx *context)
{
	unsigned long tracking = context->skb->_nfct;
	__u32 direction = tracking & TRACKING_DIRECTION, user = SCRATCH_SERVICE;
	struct translation translation = {};
	struct packet packet = { .direction = EGRESS, .length = context->skb->len };
	struct situation situation = {};
	struct scratch *scratch;
	struct pod *pod;
	int cause = CAUSE_NONE;

	if (!settings.nf_conn_btf_id)
		return NETFILTER_ACCEPT;
	tracking &= ~(unsigned long)TRACKING_DIRECTION;
	if (tracking) {
		if (direction >= TRACKING_REPLY || direction == TRACKING_RELATED)
			return NETFILTER_ACCEPT;
		fill_translation(&translation,
				 bpf_rdonly_cast((void *)tracking, settings.nf_conn_btf_id));
		packet.key = translation.key;
		/* A Service's address that nothing translated is its own backend. */
		if (!is_translated(&translation) && !is_service(&packet))
			return NETFILTER_ACCEPT;
	} else {
		cause = decide_untracked(context, &packet);
		if (!cause)
			return NETFILTER_ACCEPT;
	}
	pod = pod_of(&packet.key.local);
	if (!pod)
		return NETFILTER_ACCEPT;
	packet.key.pod = pod->id;
	scratch = bpf_map_lookup_elem(&scratches, &user);
	if (!scratch || !begin_situation(&situation, pod))
		return NETFILTER_DROP;
	clear_decision(&scratch->decision, situation.word);
	if (!cause)
		cause = decide_translated(&packet, &translation, scratch, &situation);
	return verdict_on(cause, &packet, scratch, &situation);
}

#endif
