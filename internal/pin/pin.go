// Package pin keeps the versions of libraries that parts under construction need.
package pin

import (
	_ "github.com/cenkalti/rpc2"
	_ "github.com/cenkalti/rpc2/jsonrpc"
	_ "github.com/cespare/xxhash/v2"
	_ "github.com/contiv/libOpenflow/openflow13"
	_ "github.com/danielgtaylor/huma/v2"
	_ "github.com/danielgtaylor/huma/v2/adapters/humamux"
	_ "github.com/danielgtaylor/huma/v2/sse"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/gopacket/gopacket/layers"
	_ "github.com/gorilla/mux"
	_ "github.com/ovn-kubernetes/libovsdb/ovsdb"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/rs/zerolog"
	_ "github.com/spf13/cobra"
	_ "github.com/vishvananda/netlink"
	_ "github.com/vishvananda/netns"
	_ "go.etcd.io/etcd/client/v3"
	_ "go.etcd.io/etcd/server/v3/embed"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/time/rate"
	_ "pgregory.net/rapid"
	_ "sigs.k8s.io/yaml"
)
