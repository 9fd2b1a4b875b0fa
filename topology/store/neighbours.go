package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/dovetail-sdn/dovetail/topology"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// neighbourPrefix is beside the objects: what is there is no intent, and nobody
// watches it.
const neighbourPrefix = "/dovetail/neighbours/"

// KeepNeighbours stores which MACs the machines of an external network have, so that
// a controller that starts again leaves the flows that use them alone. It replaces what
// was stored; none removes it.
func (s *Store) KeepNeighbours(ctx context.Context, external string, known map[netip.Addr]topology.MAC) error {
	key := neighbourPrefix + external
	op := clientv3.OpDelete(key)
	if len(known) > 0 {
		value, err := json.Marshal(known)
		if err != nil {
			return fmt.Errorf("encoding the neighbours of external network %s: %w", external, err)
		}
		op = clientv3.OpPut(key, string(value))
	}
	if _, err := s.cli.Do(ctx, op); err != nil {
		return fmt.Errorf("storing the neighbours of external network %s: %w", external, err)
	}
	return nil
}

// Neighbours are those that are stored, by external network.
func (s *Store) Neighbours(ctx context.Context) (map[string]map[netip.Addr]topology.MAC, error) {
	resp, err := s.cli.Get(ctx, neighbourPrefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("reading neighbours: %w", err)
	}
	all := make(map[string]map[netip.Addr]topology.MAC, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		known := map[netip.Addr]topology.MAC{}
		if err := json.Unmarshal(kv.Value, &known); err != nil {
			return nil, fmt.Errorf("reading %s from etcd: %w", kv.Key, err)
		}
		all[strings.TrimPrefix(string(kv.Key), neighbourPrefix)] = known
	}
	return all, nil
}
