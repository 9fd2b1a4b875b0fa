package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// Limits that we set on the embedded etcd, and that a cluster of one's own should have.
const (
	// MaxTxnOps is how many keys one transaction may write: --max-txn-ops.
	MaxTxnOps = 100_000
	// MaxRequestBytes bounds one transaction: --max-request-bytes.
	MaxRequestBytes = 64 << 20
	// quotaBytes is how large the database may become: --quota-backend-bytes.
	quotaBytes = 8 << 30
	// keepHistory is how long old versions of keys are kept. A Store that lost its
	// watch for longer reads everything again.
	keepHistory = "10m"
)

// EmbedConfig says how to run etcd inside this process.
type EmbedConfig struct {
	// Dir is the data folder; it is made if it is missing. One process at a time
	// can use it.
	Dir string
	Log zerolog.Logger
	// NoSync leaves out fsync: for tests and benchmarks only, since a crash of the
	// machine can then lose what was committed.
	NoSync bool

	quota int64 // bytes of the database; 0 is quotaBytes. For tests.
}

// Embedded is an etcd of one member inside this process. It does not listen
// anywhere: only its clients reach it.
type Embedded struct {
	server *embed.Etcd
	client *clientv3.Client
	lock   *os.File
}

// OpenEmbedded starts etcd and waits until it is ready or ctx ends.
func OpenEmbedded(ctx context.Context, cfg EmbedConfig) (*Embedded, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{lock: lock}
	if err := checkFolderVersion(cfg.Dir); err != nil {
		e.Close()
		return nil, err
	}
	if e.server, err = start(etcdConfig(cfg)); err != nil {
		e.Close()
		return nil, fmt.Errorf("starting etcd in %s: %w", cfg.Dir, err)
	}
	select {
	case <-e.server.Server.ReadyNotify():
	case err = <-e.server.Err():
	case <-e.server.Server.StopNotify():
		err = errors.New("it stopped")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("waiting for etcd in %s: %w", cfg.Dir, err)
	}
	e.client = e.NewClient()
	if err := e.reclaim(ctx); err != nil {
		e.Close()
		return nil, fmt.Errorf("making room in the database in %s: %w", cfg.Dir, err)
	}
	return e, nil
}

// reclaim makes room in a database that reached its quota, which takes no writes
// until that is done: old versions of keys go, and the space that is free inside.
func (e *Embedded) reclaim(ctx context.Context) error {
	alarms, err := e.client.AlarmList(ctx)
	if err != nil || len(alarms.Alarms) == 0 {
		return err
	}
	now, err := e.client.Get(ctx, schemaKey)
	if err != nil {
		return err
	}
	if _, err := e.client.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return err
	}
	if err := e.server.Server.Backend().Defrag(); err != nil {
		return err
	}
	_, err = e.client.AlarmDisarm(ctx, &clientv3.AlarmMember{}) // of all members
	return err
}

// start starts etcd, which panics, or would even exit, if it cannot make sense of
// its data.
func start(c *embed.Config) (server *embed.Etcd, err error) {
	const damaged = "the data is damaged: restore the folder from a backup, or start with an empty one (%v)"
	defer func() {
		if p := recover(); p != nil {
			server, err = nil, fmt.Errorf(damaged, p)
		}
	}()
	// etcd opens the database on a goroutine of its own, where a panic would be
	// the end of the process: look before.
	if db := filepath.Join(c.Dir, "member", "snap", "db"); exist(db) {
		b, err := bbolt.Open(db, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 10 * time.Second})
		if err != nil {
			return nil, fmt.Errorf(damaged, err)
		}
		_ = b.Close()
	}
	return embed.StartEtcd(c)
}

func exist(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Client is a client that lives until Close.
func (e *Embedded) Client() *clientv3.Client { return e.client }

// NewClient makes another client, which the caller closes before Close.
func (e *Embedded) NewClient() *clientv3.Client { return v3client.New(e.server.Server) }

// Close stops etcd and waits for it. Stores on it must be closed before.
func (e *Embedded) Close() {
	if e.client != nil {
		_ = e.client.Close() // always the error of its own context
	}
	if e.server != nil {
		e.server.Close()
	}
	_ = e.lock.Close() // lets go of the lock
}

// lockFolder makes sure that one process at a time uses a data folder. etcd's own
// lock would make the second one wait without a word.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data folder %s is used by another process: stop that one, or choose another folder", dir)
		}
		return nil, fmt.Errorf("locking data folder %s: %w", dir, err)
	}
	return f, nil
}

// checkFolderVersion looks at a file beside the database, since a newer database
// might be one that this etcd cannot even open.
func checkFolderVersion(dir string) error {
	file, mine := filepath.Join(dir, "schema"), strconv.Itoa(schemaVersion)
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(file, []byte(mine+"\n"), 0o600); err != nil {
			return fmt.Errorf("writing into the data folder: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	if found := strings.TrimSpace(string(b)); found != mine {
		return fmt.Errorf("data folder %s: %w", dir, schemaError(found))
	}
	return nil
}

func etcdConfig(cfg EmbedConfig) *embed.Config {
	c := embed.NewConfig()
	c.Name = "dovetail"
	c.Dir = filepath.Join(cfg.Dir, "etcd")
	// A member must say where its peers would find it. Nobody listens there.
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil, nil
	c.MaxTxnOps, c.MaxRequestBytes, c.QuotaBackendBytes = MaxTxnOps, MaxRequestBytes, cmp.Or(cfg.quota, quotaBytes)
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, keepHistory
	// There is nobody to hold an election with.
	c.TickMs, c.ElectionMs = 20, 100
	c.SnapshotCount = 10_000
	c.UnsafeNoFsync = cfg.NoSync
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapLogger(cfg.Log))
	return c
}

// Dial connects to an etcd cluster, and waits until it answers or ctx ends. cfg
// names its endpoints, and TLS and user where they are needed; the rest is set here.
func Dial(ctx context.Context, cfg clientv3.Config) (*clientv3.Client, error) {
	cfg.MaxCallSendMsgSize, cfg.MaxCallRecvMsgSize = MaxRequestBytes, 1<<31-1
	cfg.DialKeepAliveTime, cfg.DialKeepAliveTimeout = 5*time.Second, 5*time.Second
	cfg.RejectOldCluster = false
	cli, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd at %s: %w", strings.Join(cfg.Endpoints, ","), err)
	}
	if _, err := cli.Get(ctx, schemaKey); err != nil {
		_ = cli.Close()
		return nil, fmt.Errorf("etcd at %s does not answer: %w", strings.Join(cfg.Endpoints, ","), err)
	}
	return cli, nil
}
