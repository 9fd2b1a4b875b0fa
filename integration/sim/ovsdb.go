package sim

import (
	"context"
	"encoding/json"
	"net"
	"time"
)

// writeLimit is for one message: a controller that does not read is not waited for.
const writeLimit = 30 * time.Second

// runOVSDB keeps a connection with the manager until ctx ends.
func (h *Host) runOVSDB(ctx context.Context) {
	for ctx.Err() == nil {
		h.serveOVSDB(ctx)
		pause(ctx, h.backoff())
	}
}

func (h *Host) serveOVSDB(ctx context.Context) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", h.fleet.cfg.Manager)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	h.ovsdb.set(conn)
	c := &ovsdbConn{conn: conn}
	h.mu.Lock()
	h.ovs = c
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ovs = nil
	}()
	in := json.NewDecoder(conn)
	for {
		var m request
		if in.Decode(&m) != nil {
			return
		}
		h.mu.Lock()
		err := h.answer(c, &m)
		h.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// request is what the controller asks; replies to probes, which a host does not
// send, look like one without a method.
type request struct {
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
	ID     any               `json:"id"`
}

// ovsdbConn is one JSON-RPC connection (RFC 7047 section 4). Host.mu guards it.
type ovsdbConn struct {
	conn    net.Conn
	monitor monitor
	name    json.RawMessage // of the monitor
}

func (c *ovsdbConn) send(m any) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := c.conn.Write(b); err != nil {
		_ = c.conn.Close()
		return err
	}
	return nil
}

func (c *ovsdbConn) reply(id, result any, refused error) error {
	m := map[string]any{"id": id, "result": result, "error": nil}
	if refused != nil {
		m["result"], m["error"] = nil, refused.Error()
	}
	return c.send(m)
}

// update tells of changes, as far as they are watched.
func (c *ovsdbConn) update(changes []delta) {
	if u := c.monitor.updates(changes); u != nil {
		_ = c.send(map[string]any{"id": nil, "method": "update", "params": []any{c.name, u}}) // the reader sees that it failed
	}
}

// answer handles a request. It needs mu.
func (h *Host) answer(c *ovsdbConn, m *request) error {
	switch m.Method {
	case "":
		return nil
	case "echo":
		return c.reply(m.ID, m.Params, nil)
	case "monitor":
		if len(m.Params) != 3 {
			return c.reply(m.ID, nil, errValue)
		}
		mon, err := decodeMonitor(m.Params[2])
		if err != nil {
			return c.reply(m.ID, nil, err)
		}
		c.monitor, c.name = mon, m.Params[1]
		return c.reply(m.ID, mon.updates(h.db.everything()), nil)
	case "transact":
		results, changes := h.db.transact(m.Params[min(1, len(m.Params)):])
		h.tell(changes) // before the reply, as ovsdb-server does
		err := c.reply(m.ID, results, nil)
		h.commit(nil)
		return err
	}
	return c.reply(m.ID, nil, &refusal{Name: "unknown method"})
}
