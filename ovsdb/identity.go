package ovsdb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Keys of Open_vSwitch.external_ids by which a host says what it is.
const (
	keySystemID       = "system-id"
	keyHostname       = "hostname"
	keyEncapIP        = "dovetail-encap-ip"
	keyBridgeMappings = "dovetail-bridge-mappings"
	keyDatapathType   = "dovetail-datapath-type"
	// keyUnderlay optionally names the bridge or interface whose MTU is that
	// of the underlay.
	keyUnderlay = "dovetail-underlay"
)

const (
	maxSystemID = 128
	maxText     = 255
	maxMappings = 256

	defaultDatapathType = "system"
)

// hostInfo reads who a host is from its Open_vSwitch row. An error means that it
// has not said so in a usable way; problems name the other things that are
// missing or wrong, and how to put them right.
func hostInfo(db *replica) (info HostInfo, problems []string, err error) {
	_, root, ok := db.theRoot()
	if !ok {
		return info, nil, errors.New(`the database has no Open_vSwitch row: run "ovs-vsctl init"`)
	}
	ids := root.ExternalIDs
	info = HostInfo{
		SystemID: ids[keySystemID],
		Hostname: printable(ids[keyHostname], maxText),
		Version:  printable(string(root.Version), maxText),
	}
	if err := checkSystemID(info.SystemID); err != nil {
		return info, nil, err
	}
	note := func(err error) {
		if err != nil {
			problems = append(problems, err.Error())
		}
	}
	info.EncapIP, err = encapIP(ids[keyEncapIP])
	note(err)
	info.BridgeMappings, err = bridgeMappings(ids[keyBridgeMappings])
	note(err)
	info.DatapathType, err = datapathType(ids[keyDatapathType])
	note(err)
	info.UnderlayMTU = underlayMTU(db, ids[keyUnderlay])
	return info, problems, nil
}

func checkSystemID(id string) error {
	const fix = `run "ovs-vsctl set open_vswitch . external_ids:system-id=NAME" on the host`
	if id == "" {
		return errors.New("external_ids:system-id is not set: " + fix)
	}
	if len(id) > maxSystemID {
		return fmt.Errorf("external_ids:system-id has %d characters, at most %d are allowed: %s", len(id), maxSystemID, fix)
	}
	for i, c := range id {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("-_.", c)) {
			return fmt.Errorf("external_ids:system-id %q: letters, digits, '-', '_' and '.' are allowed, "+
				"beginning with a letter or digit: %s", id, fix)
		}
	}
	return nil
}

// encapIP returns the zero Addr with an error if s is no address for a VTEP.
func encapIP(s string) (netip.Addr, error) {
	const fix = `run "ovs-vsctl set open_vswitch . external_ids:` + keyEncapIP + `=ADDRESS" on the host`
	if s == "" {
		return netip.Addr{}, fmt.Errorf("external_ids:%s, the address of its tunnels, is not set: %s", keyEncapIP, fix)
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" || ip.IsMulticast() || ip.IsUnspecified() {
		return netip.Addr{}, fmt.Errorf("external_ids:%s %q is no unicast address: %s", keyEncapIP, shorten(s, 64), fix)
	}
	return ip.Unmap(), nil
}

// bridgeMappings parses "physnet:bridge,physnet2:bridge2". Entries that are right
// are returned even when others are wrong.
func bridgeMappings(s string) (map[string]string, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	mappings := make(map[string]string)
	var bad []string
	for entry := range strings.SplitSeq(s, ",") {
		physnet, bridge, ok := strings.Cut(strings.TrimSpace(entry), ":")
		_, twice := mappings[physnet]
		switch {
		case !ok || !isName(physnet) || !isName(bridge) || twice || bridge == BridgeName || len(mappings) >= maxMappings:
			bad = append(bad, shorten(entry, 64))
		default:
			mappings[physnet] = bridge
		}
	}
	if bad == nil {
		return mappings, nil
	}
	if len(bad) > 3 {
		bad = append(bad[:3], "…")
	}
	return mappings, fmt.Errorf("external_ids:%s has entries that cannot be used (%q): write PHYSNET:BRIDGE,…, each PHYSNET "+
		"once, at most %d, and not with %s", keyBridgeMappings, bad, maxMappings, BridgeName)
}

func datapathType(s string) (string, error) {
	if s == "" {
		return defaultDatapathType, nil
	}
	if !isName(s) {
		return defaultDatapathType, fmt.Errorf(`external_ids:%s %q is not the name of a datapath type: use "system" or "netdev"`,
			keyDatapathType, shorten(s, 64))
	}
	return s, nil
}

// underlayMTU is the MTU of what carries the tunnels, 0 if it cannot be known.
//
// A database of Open vSwitch does not know which interface has which address. If
// external_ids:dovetail-underlay names an interface or a bridge, its interface's
// MTU is it. Otherwise it is the smallest MTU of the physical interfaces on
// bridges other than the integration bridge: with the tunnel address on a bridge
// one of those carries the tunnels, and too small an answer only warns early. An
// address on an interface that is on no bridge needs the key.
func underlayMTU(db *replica, named string) int {
	if named != "" {
		for _, i := range db.interfaces.rows {
			if i.Name == named {
				return saneMTU(i.MTU)
			}
		}
		return 0
	}
	smallest := 0
	seen := make(map[string]bool)
	for _, b := range db.bridges.rows {
		if b.Name == BridgeName {
			continue
		}
		for i := range db.bridgeInterfaces(b, seen) {
			if mtu := saneMTU(i.MTU); mtu > 0 && (i.Type == "" || i.Type == "system") {
				smallest = cmp.Or(min(smallest, mtu), mtu)
			}
		}
	}
	return smallest
}

func saneMTU(mtu optInt) int {
	if mtu < 68 || mtu > 65535 {
		return 0
	}
	return int(mtu)
}

// sameInfo compares all that a host says.
func sameInfo(a, b HostInfo) bool {
	return a.SystemID == b.SystemID && a.Hostname == b.Hostname && a.EncapIP == b.EncapIP &&
		maps.Equal(a.BridgeMappings, b.BridgeMappings) && a.DatapathType == b.DatapathType &&
		a.Version == b.Version && a.UnderlayMTU == b.UnderlayMTU
}

// isName says whether s can name a bridge, a physical network or a datapath type.
func isName(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`:,"'\/`, c)
	})
}

// printable makes text of a host fit for logs and messages: n bytes at most, no
// control characters, valid UTF-8.
func printable(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s)
}

// isPrintable says whether printable would leave s as it is.
func isPrintable(s string, n int) bool { return s != "" && printable(s, n) == s }

// portList lists the interfaces of the integration bridge that have an iface-id,
// sorted by name. Names and ids that are too long or not printable are left out:
// nothing else could name them.
func portList(db *replica) []Port {
	_, br, ok := db.bridge(BridgeName)
	if !ok {
		return nil
	}
	var list []Port
	for i := range db.bridgeInterfaces(br, make(map[string]bool)) {
		id := i.ExternalIDs["iface-id"]
		if !isPrintable(i.Name, maxText) || !isPrintable(id, maxText) {
			continue
		}
		list = append(list, Port{
			Name:        i.Name,
			InterfaceID: id,
			AttachedMAC: printable(i.ExternalIDs["attached-mac"], 64),
			OFPort:      ofport(i.OFPort),
			LinkUp:      i.LinkState == "up",
			Error:       printable(string(i.Error), 1024),
		})
	}
	slices.SortFunc(list, func(a, b Port) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// ofport is 0 for a port that the switch has not numbered or could not add (-1),
// and for reserved numbers (OFPP_MAX of OpenFlow 1.0 is what OVS stays below).
func ofport(n optInt) uint32 {
	if n < 1 || n >= 0xff00 {
		return 0
	}
	return uint32(n)
}
