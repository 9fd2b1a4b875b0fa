package bgp

import (
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

const asTrans = 23456 // RFC 6793: stands for an ASN that takes four bytes

// family is an address family of a session.
type family struct {
	bgp.Family
	addPath bool // the peer takes several paths of a prefix
}

func (f family) v4() bool { return f.Family == bgp.RF_IPv4_UC }

var spoken = []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC}

// offer is what matters to us of a peer's OPEN.
type offer struct {
	hold         time.Duration
	families     []family // that we speak too
	longASN      bool     // RFC 6793
	notification bool     // RFC 8538
}

// openMessage is our OPEN. restarted is the Restart State bit of RFC 4724.
func openMessage(cfg sessionConfig, l limits, restarted bool) *bgp.BGPMessage {
	caps := []bgp.ParameterCapabilityInterface{bgp.NewCapRouteRefresh(), bgp.NewCapFourOctetASNumber(cfg.asn)}
	var paths []*bgp.CapAddPathTuple
	var graceful []*bgp.CapGracefulRestartTuple
	var longLived []*bgp.CapLongLivedGracefulRestartTuple
	for _, f := range spoken {
		caps = append(caps, bgp.NewCapMultiProtocol(f))
		paths = append(paths, bgp.NewCapAddPathTuple(f, bgp.BGP_ADD_PATH_SEND))
		// Hosts forward whether we are there or not.
		graceful = append(graceful, bgp.NewCapGracefulRestartTuple(f, true))
		longLived = append(longLived, bgp.NewCapLongLivedGracefulRestartTuple(f, true, uint32(l.longLived/time.Second)))
	}
	caps = append(caps,
		bgp.NewCapAddPath(paths),
		bgp.NewCapGracefulRestart(restarted, true, uint16(l.restart/time.Second), graceful),
		bgp.NewCapLongLivedGracefulRestart(longLived))
	return &bgp.BGPMessage{
		Header: bgp.BGPHeader{Type: bgp.BGP_MSG_OPEN},
		Body: &bgp.BGPOpen{
			Version: 4, MyAS: shortASN(cfg.asn), HoldTime: uint16(l.hold / time.Second), ID: cfg.routerID,
			OptParams: []bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(caps)},
		},
	}
}

func shortASN(asn uint32) uint16 {
	if asn > 1<<16-1 {
		return asTrans
	}
	return uint16(asn)
}

// parseOpen reads a peer's OPEN. Errors are *bgp.MessageError, to be told to the peer.
func parseOpen(body []byte, cfg sessionConfig) (offer, error) {
	var open bgp.BGPOpen
	if err := open.DecodeFromBytes(body); err != nil {
		return offer{}, err
	}
	if _, err := bgp.ValidateOpenMsg(&open, cfg.peer.ASN, cfg.asn, cfg.routerID); err != nil {
		return offer{}, err
	}
	o := offer{hold: time.Duration(open.HoldTime) * time.Second}
	speaks, takes := make(map[bgp.Family]bool), make(map[bgp.Family]bool)
	for _, c := range capabilities(&open) {
		switch c := c.(type) {
		case *bgp.CapMultiProtocol:
			speaks[c.CapValue] = true
		case *bgp.CapAddPath:
			for _, t := range c.Tuples {
				takes[t.Family] = t.Mode&bgp.BGP_ADD_PATH_RECEIVE != 0
			}
		case *bgp.CapFourOctetASNumber:
			o.longASN = true
		case *bgp.CapGracefulRestart:
			o.notification = c.Flags&0x4 != 0
		}
	}
	if len(speaks) == 0 {
		speaks[bgp.RF_IPv4_UC] = true // RFC 4271, before there were others
	}
	for _, f := range spoken {
		if speaks[f] {
			o.families = append(o.families, family{Family: f, addPath: takes[f]})
		}
	}
	return o, nil
}

func capabilities(open *bgp.BGPOpen) []bgp.ParameterCapabilityInterface {
	var list []bgp.ParameterCapabilityInterface
	for _, p := range open.OptParams {
		if p, ok := p.(*bgp.OptionParameterCapability); ok {
			list = append(list, p.Capability...)
		}
	}
	return list
}
