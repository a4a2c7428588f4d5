/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Every map's key and value, and the event: what the kernel program and its loader share. The Rust
 * side is generated from this file's debug information; docs/design/data-plane.md explains it.
 *
 * A change of any layout raises ABI_SCHEMA. An upgrade reads older entries by the names of their fields, so
 * a name never changes its meaning or its width: what means something else is called something else.
 * No implicit padding: user space writes whole bytes.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

/* User space writes whole bytes: no padding that nobody would set. */
#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"

/* Enumerators and not macros, so that debug information carries them to Rust. */
enum limits {
	ABI_SCHEMA = 5,
	MAX_PODS = 4096,           /* of a node */
	MAX_WORDS = 16,            /* rules of a profile: 16 * 64 */
	SUMMARY_WORDS = 3,         /* a profile of so many words has summaries of its rows */
	MAX_POD_ADDRESSES = 4,     /* of a pod, both families together */
	COLUMNS = 2,               /* of everything that is double-buffered */
	NO_RULE = 0xffff,          /* no rule decided: the default, which allows */
};

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d; network byte order. */
struct address {
	__be32 words[4];
};

/* ---- pods ---------------------------------------------------------------------------------- */

enum pod_flags {
	POD_OPEN_UNTIL_POLICY = 1, /* no policy has been written yet: pass instead of drop */
};

/* pods: the host end of a pod's interface, by its index in this network namespace. */
struct pod {
	__u32 slot;           /* into `policies`; one pod's alone while it lives */
	__u32 id;             /* never used again; names the pod in connections and events */
	__u32 n_addresses;
	__u32 flags;
	/* Also its link-local one, if it speaks IPv6: neighbour discovery uses it. */
	struct address addresses[MAX_POD_ADDRESSES];
	__u8 uid[16];         /* of the pod in its cluster; zero: not told */
};

/* placed_pods: most of them once more, by the low bits of the index: an array is quicker than a hash. */
struct placed_pod {
	__u32 interface;      /* 0: nobody's place. Only as long may anything else here change */
	struct pod pod;
};

/* policies: what holds for a pod now, by slot. One aligned word, so that one store changes all. */
enum policy_word {
	POLICY_INGRESS_SHIFT = 0,  /* 16 bits: the profile of each direction; */
	POLICY_EGRESS_SHIFT = 16,  /*          0: no policy has been written yet */
	POLICY_PROFILE_MASK = 0xffff,
	POLICY_COLUMN_BIT = 32,    /* which column of classes and ports the profiles speak of */
	POLICY_OBSERVE_BIT = 33,   /* nothing of this pod is dropped by policy */
	POLICY_KEEP_BIT = 34,      /* established connections outlive a change that denies them */
	POLICY_GENERATION_SHIFT = 35, /* 29 bits, another with every flip; connections remember it.
	                                 0 only while no policy has been written */
};

/* usage: how many connections a pod has, by slot. User space writes it when it gives the slot away. */
struct usage {
	__u32 pod;            /* pod.id */
	__u32 connections;
};

/* node: what is the data plane's as a whole, by index. */
enum node_word {
	NODE_SCHEMA,          /* ABI_SCHEMA */
	NODE_LAST_POD,        /* pod.id that was given away last */
	NODE_FLIPPING,        /* `next_policies` is complete and has to be copied into `policies` */
	N_NODE_WORDS,
};

/* local_addresses: the interface of a pod of this node by its address, for the hook that sees
 * packets behind the translation: address -> u32 index. */

/* ---- classes of addresses and ports -------------------------------------------------------- */

/*
 * Each column has entries of its own, so that no entry that a packet may be looking at is ever replaced:
 * user space writes the column that no pod's word names. Class 0: no rule names the address, so only rules
 * for any peer match.
 */
struct address_key {
	struct address address;
	__u32 column;
};

/* networks: longest prefix first; the class holds every network that contains the prefix. */
struct network_key {
	__u32 prefix_length;  /* 32 for the column, and of 128: an IPv4 network counts from 96 */
	__be32 column;
	struct address address;
};

enum port_protocol { PORTS_TCP, PORTS_UDP, PORTS_SCTP, N_PORT_PROTOCOLS };

/* port_classes: by column * N_PORT_PROTOCOLS + protocol. Port class 0: only rules for all ports. */
struct port_classes {
	__u16 of_port[65536];
};

/* ---- profiles ------------------------------------------------------------------------------ */

/* 64 rules of a profile; bit 0 of word 0 comes first. */
struct rule_word {
	__u64 any_peer;
	__u64 all_ports;      /* of every protocol, also those without ports */
	__u64 enforced;
	__u64 observed;       /* beside the enforced ones, nothing dropped */
	__u64 staged;         /* beside both */
	__u64 denies;         /* rules that deny; what neither denies nor passes allows */
	__u64 passes;         /* rules that end their tier */
	__u64 reserved;
};

enum profile_flags {
	PROFILE_WRITTEN = 1, /* without it a profile denies: no word should name it */
};

/* profiles: by profile id. Profile 0 is never read. */
struct profile {
	__u32 n_words;        /* 0: everything is allowed */
	__u32 admin_end;      /* a pass goes on at the end of the tier it is in */
	__u32 baseline_start;
	__u32 flags;          /* enum profile_flags */
	struct rule_word words[MAX_WORDS];
};

/*
 * vectors: which rules name a class (of peers or of ports). Absent: none. A summary has word 0 in its key
 * and says which words are there, one bit each: most are not, and need no look-up.
 */
enum vector_kind { VECTOR_PEER, VECTOR_PORT, VECTOR_PEER_SUMMARY, VECTOR_PORT_SUMMARY };

struct vector_key {
	__u32 profile;
	__u32 class_and_word; /* class << 4 | word */
	__u32 kind;
};

/* ---- connections --------------------------------------------------------------------------- */

enum direction { INGRESS, EGRESS };

/* connections: one entry for both directions, because a pod's interface knows its side. */
struct connection_key {
	struct address local, remote; /* as the pod sees them */
	__u32 pod;                    /* pod.id */
	__u16 local_port, remote_port; /* host byte order; ICMP: below; other protocols: 0 */
	__u32 protocol;
};

/*
 * remote_port of ICMP: who opened it, so that a request never passes as somebody's reply. local_port is
 * the identifier of an echo. Other messages have no reply: local_port is type << 8 | code, and each
 * direction is a connection of its own.
 */
enum icmp_opener {
	ICMP_ECHO_BY_INGRESS = 1,
	ICMP_ECHO_BY_EGRESS = 2,
	ICMP_OTHER_BY_INGRESS = 3,
	ICMP_OTHER_BY_EGRESS = 4,
};

enum tcp_state {
	TCP_NONE,          /* not TCP */
	TCP_OPENING,       /* the opener's SYN */
	TCP_ANSWERED,      /* SYN and ACK came back */
	TCP_OPEN,
	TCP_CLOSING,       /* one side is done */
	TCP_CLOSED,        /* both are, or a reset was seen */
};

enum connection_flags {
	CONNECTION_SERVICE_PENDING = 1, /* opened towards a Service; the backend is not decided yet */
	CONNECTION_SERVICE_DECIDED = 2,
	CONNECTION_ANSWERED = 4,        /* the other side has sent something */
	CONNECTION_OBSERVED = 8,        /* passes only because its pod is observed, not enforced */
	CONNECTION_EXEMPT = 16,         /* of the node itself, or of the pod with itself: no policy applies */
	CONNECTION_REOPENING_BY_INGRESS = 32, /* a SYN of this direction was allowed on an open */
	CONNECTION_REOPENING_BY_EGRESS = 64,  /*   connection, and not answered yet */
};

enum recent_word {
	RECENT_PACKETS_SHIFT = 24,
	RECENT_BYTES = 0xffffff,
};

struct connection {
	__u64 opened, seen;             /* nanoseconds of the coarse monotonic clock */
	__u64 reported;                 /* when its counters were last in the ring */
	__u64 packets[2], bytes[2];     /* by direction at the pod; `recent` is not among them yet */
	__u32 recent[2];                /* likewise, both in a word: enum recent_word */
	__u32 peer_class, profile;
	__u32 generation;               /* of the pod's policy that decided */
	__u16 rule, observed_rule, staged_rule; /* bits of the profile; NO_RULE: the default */
	__u16 backend_port;
	struct address backend;         /* of a Service, once it is decided; the pod itself, behind one */
	__u8 opener;                    /* enum direction */
	__u8 state;                     /* enum tcp_state */
	__u8 tcp_flags[2];              /* seen, by direction */
	__u8 flags;                     /* enum connection_flags */
	__u8 verdicts;                  /* enum verdict_bits of the evaluation */
	__u8 reserved[2];
	__u32 slot;                     /* of the pod, whose `usage` counts it */
};

enum verdict_bits {
	VERDICT_DENY = 1,               /* by the enforced policies */
	VERDICT_OBSERVED_DENY = 2,      /* with the observed ones */
	VERDICT_STAGED_DENY = 4,        /* with the staged ones too */
};

/* fragments: the ports that a first fragment showed, for the rest of its datagram. */
struct fragment_key {
	struct address source, destination;
	__u32 pod, identification;
	__u32 protocol, direction;    /* IPv6: the protocol that each fragment's header names */
};

struct fragment {
	__u64 seen;
	__u16 source_port, destination_port;
	__u16 header_end;        /* where the transport header ends, from the datagram's start */
	__u8 protocol;
	__u8 reserved;
};

/* ---- services ------------------------------------------------------------------------------ */

/*
 * services: addresses that are translated after the pod's interface, before the real destination. Each
 * address is there with port and protocol 0 as well: what is not translated does not go there.
 */
struct service_key {
	struct address address;
	__u16 port;
	__u16 protocol;
};

/* ---- events -------------------------------------------------------------------------------- */

/*
 * The ring wakes its reader only when another 64 KiB wait in it; below that the reader looks by itself, as
 * often as it wants to be up to date.
 */

enum event_kind {
	EVENT_OPENED = 1,
	EVENT_CLOSED,
	EVENT_ACTIVE,     /* still open after a while: counters so far */
	EVENT_DENIED,
	EVENT_REVOKED,    /* was allowed, and the policy of now denies it */
	EVENT_REFUSED,    /* by no policy: `cause` says why */
};

/* Why a packet was dropped, or an event was lost; the index into `counters`. */
enum cause {
	CAUSE_NONE,
	CAUSE_POLICY,            /* the deciding rule is in the event */
	CAUSE_NO_POLICY_YET,
	CAUSE_NOT_OWN_ADDRESS,   /* the pod sends from an address that is not its own */
	CAUSE_MALFORMED,         /* headers that contradict themselves or the length */
	CAUSE_TRUNCATED,
	CAUSE_UNKNOWN_ETHERTYPE,
	CAUSE_VLAN,
	CAUSE_UNKNOWN_EXTENSION, /* an IPv6 header that may hide the ports */
	CAUSE_FRAGMENT,          /* the first one was not seen, or hides the ports */
	CAUSE_NOT_CONNECTED,     /* TCP that is not a SYN, of no known connection */
	CAUSE_ICMP_UNRELATED,
	CAUSE_LINK_LOCAL,        /* router and listener messages of the pod: counted, never reported */
	CAUSE_CONNECTIONS_FULL,
	CAUSE_POD_QUOTA,
	CAUSE_TABLES,            /* a table that must have an entry has none: a defect, denied */
	CAUSE_SERVICE_UNDECIDED, /* the hook behind the translation was not passed */
	CAUSE_RING_FULL,         /* events, not packets */
	CAUSE_AGGREGATE_FULL,    /* likewise */
	N_CAUSES,
};

struct event {
	__u64 time;              /* nanoseconds of the monotonic clock */
	__u64 opened;
	__u64 packets[2], bytes[2];
	__u64 vector[MAX_WORDS]; /* every rule that matched; n_words of them */
	struct address local, remote, backend;
	__u32 pod, profile, peer_class, generation;
	__u32 sequence;          /* of this CPU: a gap is a loss */
	__u32 count;             /* of denied packets since the last report */
	__u16 local_port, remote_port, backend_port;
	__u16 rule, observed_rule, staged_rule;
	__u16 cpu;
	__u8 kind, cause, direction, protocol;
	__u8 state, verdicts, n_words, flags;
	__u8 tcp_flags[2];
	__u8 icmp_type, icmp_code;
	__u8 reserved[6];
};

/* denials: what is denied again and again is counted, and reported once in a while. */
struct denial_key {
	struct address local, remote; /* zero where the packet could not be parsed */
	__u32 pod, profile;
	__u16 port;              /* of the destination */
	__u16 rule, cause;
	__u8 protocol, direction;
};

struct denial {
	__u64 first, seen;
	__u64 packets, bytes;    /* not yet reported */
	__u32 peer_class, generation;
};

/* ---- questions of user space --------------------------------------------------------------- */

/* What `ask` is asked, and behind that what it answers: the verdict on a packet that is not there. */
struct inquiry {
	struct address remote;
	__u32 slot;              /* of the pod */
	__u32 direction, protocol;
	__u32 port;              /* of the destination */
	__u64 vector[MAX_WORDS]; /* every rule that matches; n_words of them */
	__u32 profile, peer_class, generation, n_words;
	__u32 cause;             /* CAUSE_NONE: it would pass */
	__u16 rule, observed_rule, staged_rule;
	__u8 verdicts;
	__u8 reserved[5];
};

/* ---- upgrades ------------------------------------------------------------------------------ */

/* What `restore` is given, and behind that why it could not enter it. */
struct restored {
	struct connection connection;
	struct connection_key key;
	__u32 cause;             /* CAUSE_NONE: it is there */
};

/* ---- limits that user space sets before loading; .rodata ------------------------------------ */

struct settings {
	__u64 tcp_opening, tcp_open, tcp_closing, tcp_closed; /* nanoseconds without a packet */
	__u64 udp_unanswered, udp_answered, icmp, other;
	__u64 active_report;     /* an open connection's counters are reported so often */
	__u64 fragments;
	__u64 unattended;        /* user space has not swept for so long: the kernel does it by itself */
	__u32 pod_connections;   /* of one pod at once */
	__u32 nf_conn_btf_id;    /* of the running kernel's struct nf_conn; 0: there is none */
};

#pragma clang diagnostic pop

#endif
