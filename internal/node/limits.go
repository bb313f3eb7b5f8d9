package node

import (
	"errors"
	"fmt"
	"time"

	"rte/internal/limit"
)

// Limits are the settings that bound what clients and producers may hold and
// do. Of those without "per" in their name each is the node's, but
// --max-subscriptions, which is a connection's.
type Limits struct {
	MaxConnections        int `default:"250000" help:"Most client connections on this node; 0 is any number."`
	MaxConnectionsPerOrg  int `default:"100000" help:"Most client connections of one organization; 0 is any number."`
	MaxConnectionsPerUser int `default:"50000" help:"Most client connections of one user; 0 is any number."`

	MaxSubscriptionsPerNode int `default:"10000000" help:"Most subscriptions on this node; 0 is any number."`
	MaxSubscriptionsPerOrg  int `default:"5000000" help:"Most subscriptions of one organization; 0 is any number."`
	MaxSubscriptionsPerUser int `default:"2500000" help:"Most subscriptions of one user; 0 is any number."`

	AcceptRate        float64 `default:"0" placeholder:"N" help:"New connections per second on this node (default: any number)."`
	AcceptRatePerOrg  float64 `default:"0" placeholder:"N" help:"New connections per second of one organization (default: any number)."`
	AcceptRatePerUser float64 `default:"0" placeholder:"N" help:"New connections per second of one user (default: any number)."`

	CallRate              float64 `default:"0" placeholder:"N" help:"Hub calls per second on this node (default: any number)."`
	CallRatePerOrg        float64 `default:"0" placeholder:"N" help:"Hub calls per second of one organization (default: any number)."`
	CallRatePerUser       float64 `default:"0" placeholder:"N" help:"Hub calls per second of one user (default: any number)."`
	CallRatePerConnection float64 `default:"0" placeholder:"N" help:"Hub calls per second on one connection (default: any number)."`

	PublishRate           float64 `default:"0" placeholder:"N" help:"Events per second that producers may hand in on this node (default: any number)."`
	PublishRatePerOrg     float64 `default:"0" placeholder:"N" help:"Events per second that producers may hand in for one organization (default: any number)."`
	PublishByteRate       Bytes   `default:"0" placeholder:"SIZE" help:"Bytes of events' data per second that producers may hand in on this node (default: any number)."`
	PublishByteRatePerOrg Bytes   `default:"0" placeholder:"SIZE" help:"Bytes of events' data per second that producers may hand in for one organization (default: any number)."`

	MaxStreams       int `default:"200" help:"Most streams of back-end programs (/api/v1/stream) on this node; 0 is any number."`
	MaxStreamsPerOrg int `default:"50" help:"Most streams of one organization; 0 is any number."`

	MaxConnectionAge time.Duration `default:"0" placeholder:"TIME" help:"Age at which a connection is closed, and its client may come back; each has its own, of three quarters of this or more (default: any)."`
	CloseOnExpiry    bool          `help:"Close a connection when its token ends (default: it goes on); its client may come back with another."`
	TokenRefresh     bool          `help:"Let clients show a new token for an open connection, at /rte/refresh (authentication refresh of ASP.NET Core 11)."`
}

// maxRate is more than can be; an infinite rate would be a bucket without end.
const maxRate = 1e12

// check finds bounds that make no sense.
func (l *Limits) check() error {
	for _, b := range []struct {
		flag string
		n    float64
	}{
		{"max-connections", float64(l.MaxConnections)}, {"max-connections-per-org", float64(l.MaxConnectionsPerOrg)},
		{"max-connections-per-user", float64(l.MaxConnectionsPerUser)}, {"max-subscriptions-per-node", float64(l.MaxSubscriptionsPerNode)},
		{"max-subscriptions-per-org", float64(l.MaxSubscriptionsPerOrg)}, {"max-subscriptions-per-user", float64(l.MaxSubscriptionsPerUser)},
		{"max-streams", float64(l.MaxStreams)}, {"max-streams-per-org", float64(l.MaxStreamsPerOrg)},
		{"accept-rate", l.AcceptRate}, {"accept-rate-per-org", l.AcceptRatePerOrg}, {"accept-rate-per-user", l.AcceptRatePerUser},
		{"call-rate", l.CallRate}, {"call-rate-per-org", l.CallRatePerOrg}, {"call-rate-per-user", l.CallRatePerUser},
		{"call-rate-per-connection", l.CallRatePerConnection},
		{"publish-rate", l.PublishRate}, {"publish-rate-per-org", l.PublishRatePerOrg},
		{"publish-byte-rate", float64(l.PublishByteRate)}, {"publish-byte-rate-per-org", float64(l.PublishByteRatePerOrg)},
	} {
		if !(b.n >= 0 && b.n <= maxRate) { // not a number, too
			return fmt.Errorf("--%s must be 0, which is no bound, or above, and at most %g", b.flag, maxRate)
		}
	}
	if l.MaxConnectionAge < 0 {
		return errors.New("--max-connection-age must not be negative")
	}
	return nil
}

func (l *Limits) mostSubscriptions() limit.Most {
	return limit.Most{Node: l.MaxSubscriptionsPerNode, Org: l.MaxSubscriptionsPerOrg, User: l.MaxSubscriptionsPerUser}
}

// limits are what the settings become.
type limits struct {
	connections    *limit.Count
	most           limit.Most  // of connections
	accepts, calls *limit.Rate // nil: any number
	strikes        *limit.Rate // calls that were refused, on one connection
	events, bytes  *limit.Rate // of producers
	streams        *limit.Count
	rates          Limits // for texts
}

// patience is for how long a connection may make calls that are refused before
// it is closed, if it makes twice as many as it may.
const patience = 10 * time.Second

func newLimits(s *Limits) *limits {
	most := limit.Most{Node: s.MaxConnections, Org: s.MaxConnectionsPerOrg, User: s.MaxConnectionsPerUser}
	strikes := s.CallRatePerConnection
	if strikes == 0 {
		strikes = s.CallRatePerUser
	}
	return &limits{
		connections: limit.NewCount(most), most: most, rates: *s,
		accepts: limit.NewRate(limit.Rates{Node: s.AcceptRate, Org: s.AcceptRatePerOrg, User: s.AcceptRatePerUser}, 0),
		calls:   limit.NewRate(limit.Rates{Node: s.CallRate, Org: s.CallRatePerOrg, User: s.CallRatePerUser, Conn: s.CallRatePerConnection}, 0),
		strikes: limit.NewRate(limit.Rates{Conn: strikes}, patience),
		events:  limit.NewRate(limit.Rates{Node: s.PublishRate, Org: s.PublishRatePerOrg}, 0),
		streams: limit.NewCount(limit.Most{Node: s.MaxStreams, Org: s.MaxStreamsPerOrg}),
		bytes:   limit.NewRate(limit.Rates{Node: float64(s.PublishByteRate), Org: float64(s.PublishByteRatePerOrg)}, 0),
	}
}
