// Package pipeline has the flow tables, declared as data, and the compiler from
// intent to flows.
//
// It owns the numbering of tables and registers, the priorities, and what every
// flow looks like. Its functions are pure: a fragment (all flows of one object in
// one role) depends only on the objects given. Fragments that several hosts
// share (EndpointRemote, Network, Router) contain nothing that depends on who
// receives them; those of one host (Base, EndpointLocal, NetworkLocal) win over
// shared ones by priority.
//
// It never sends anything, never reads a clock, and does not know which host
// needs which fragment.
package pipeline
