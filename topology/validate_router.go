package topology

import (
	"fmt"
	"net/netip"
)

func validateRouter(r *Router) error {
	key := r.Key()
	if len(r.Spec.Networks) > MaxRouterNetworks {
		return invalid(key, "spec.networks", "%d networks; at most %d", len(r.Spec.Networks), MaxRouterNetworks)
	}
	seen := map[string]bool{}
	for i, name := range r.Spec.Networks {
		field := fmt.Sprintf("spec.networks[%d]", i)
		if reason := checkName(name); reason != "" {
			return invalid(key, field, "%s", reason)
		}
		if seen[name] {
			return invalid(key, field, "%s is named twice", name)
		}
		seen[name] = true
	}
	if len(r.Spec.StaticRoutes) > MaxStaticRoutes {
		return invalid(key, "spec.staticRoutes", "%d routes; at most %d", len(r.Spec.StaticRoutes), MaxStaticRoutes)
	}
	destinations := map[netip.Prefix]string{}
	for i, route := range r.Spec.StaticRoutes {
		field := fmt.Sprintf("spec.staticRoutes[%d]", i)
		if err := validateRoute(key, field, route); err != nil {
			return err
		}
		if j, ok := destinations[route.Destination]; ok {
			return invalid(key, field+".destination", "%s is the destination of %s already; a destination has one next hop", route.Destination, j)
		}
		destinations[route.Destination] = field
	}
	return validateRouterGateways(r, destinations)
}

func validateRoute(key Key, field string, r StaticRoute) error {
	if reason := checkPrefix(r.Destination); reason != "" {
		return invalid(key, field+".destination", "%s", reason)
	}
	if what, bad := withinSpecial(r.Destination); bad {
		return invalid(key, field+".destination", "%s is in %s, which is not routed", r.Destination, what)
	}
	if reason := checkAddr(r.NextHop); reason != "" {
		return invalid(key, field+".nextHop", "%s", reason)
	}
	if r.NextHop.Is4() != r.Destination.Addr().Is4() {
		return invalid(key, field+".nextHop", "%s and the destination %s are of different IP versions", r.NextHop, r.Destination)
	}
	return nil
}
