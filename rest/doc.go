// Package rest is the northbound: resources under /v1 as JSON, the OpenAPI
// document made from the same declarations, the event stream, metrics and
// health.
//
// It owns the mapping between HTTP and the intent: names, ETags, paging, problem
// details. It keeps no state of its own and decides nothing about networks: what
// is valid is said by topology, what is realized by the controller.
package rest
