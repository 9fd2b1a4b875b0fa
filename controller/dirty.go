package controller

// dirty is what has to be compiled again. Changes only mark; flush compiles each
// marked fragment once, however many changes marked it.
type dirty struct {
	base      map[*host]bool        // Base
	local     map[*endpoint]bool    // EndpointLocal
	remote    map[*endpoint]bool    // EndpointRemote
	members   map[*network]bool     // Network
	flood     map[hostNet]bool      // NetworkLocal
	routers   map[*router]bool      // Router
	plans     map[*host]bool        // the set of feeds that the host follows
	outside   map[*host]bool        // groups, links and ports of gateways
	externals map[*external]bool    // External
	gateways  map[*gateway]bool     // Gateway
	attached  map[*router]bool      // AtGateway
	floats    map[*floating]bool    // FloatingIP
	steering  map[*host]bool        // groups of functions, and instances
	functions map[*function]bool    // Function
	chains    map[*chain]bool       // Steer
	routes    map[*external]bool    // what BGP announces
	awaiting  map[*object][]*router // who waits for routers that are compiled
	bindings  map[*endpoint]bool    // to be stored
	phases    map[*object]bool      // may have reached another phase
}

type hostNet struct {
	host *host
	net  *network
}

func newDirty() dirty {
	return dirty{
		base: map[*host]bool{}, local: map[*endpoint]bool{}, remote: map[*endpoint]bool{},
		members: map[*network]bool{}, flood: map[hostNet]bool{}, routers: map[*router]bool{},
		outside: map[*host]bool{}, externals: map[*external]bool{}, gateways: map[*gateway]bool{}, attached: map[*router]bool{},
		floats: map[*floating]bool{}, routes: map[*external]bool{}, awaiting: map[*object][]*router{},
		steering: map[*host]bool{}, functions: map[*function]bool{}, chains: map[*chain]bool{},
		plans: map[*host]bool{}, bindings: map[*endpoint]bool{}, phases: map[*object]bool{},
	}
}
