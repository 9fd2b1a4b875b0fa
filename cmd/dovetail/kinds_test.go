package main

import (
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

func TestEveryKindHasItsNames(t *testing.T) {
	for _, k := range topology.Kinds() {
		if got, err := parseKind(k.Plural()); got != k || err != nil {
			t.Errorf("%s: %v, %v", k.Plural(), got, err)
		}
	}
	if len(kindNames) != len(topology.Kinds()) {
		t.Errorf("%d kinds are named, there are %d", len(kindNames), len(topology.Kinds()))
	}
}
