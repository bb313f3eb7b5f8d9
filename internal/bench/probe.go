package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A probe looks at the server from outside: at its metrics.
type probe struct {
	url  string // "": there is none
	http http.Client
}

// A reading is what a probe saw at a moment.
type reading struct {
	at     time.Time
	known  bool
	values map[string]float64 // the server's metrics
	own    time.Duration      // CPU of this program
}

func newProbe(adminURL string) *probe {
	p := &probe{http: http.Client{Timeout: 10 * time.Second}}
	if adminURL != "" {
		p.url = strings.TrimRight(adminURL, "/") + "/metrics"
	}
	return p
}

// look reads the metrics now.
func (p *probe) look(ctx context.Context) (r reading, err error) {
	r.at, r.own = time.Now(), ownCPU()
	if p.url == "" {
		return r, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return r, fmt.Errorf("look at the server: %w", err)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return r, fmt.Errorf("look at the server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return r, fmt.Errorf("look at the server: %s answers %s; is that the admin listener?", p.url, resp.Status)
	}
	r.known = true
	r.values, err = parseMetrics(resp.Body)
	return r, err
}

// parseMetrics reads the Prometheus text format, as far as samples go.
func parseMetrics(from io.Reader) (map[string]float64, error) {
	values := map[string]float64{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, '}') + 1 // labels may have spaces
		space := strings.IndexByte(line[end:], ' ')
		if space < 0 {
			continue
		}
		text, _, _ := strings.Cut(line[end+space+1:], " ") // a time may follow
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			values[line[:end+space]] = v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the server's metrics: %w", err)
	}
	return values, nil
}

// memory is what the server holds, in bytes.
func (r reading) memory() float64 { return r.values["process_resident_memory_bytes"] }

// A cost lies between two readings.
type cost struct {
	took      time.Duration
	known     bool
	serverCPU time.Duration
	ownCPU    time.Duration
}

func (r reading) since(before reading) cost {
	cpu := r.values["process_cpu_seconds_total"] - before.values["process_cpu_seconds_total"]
	return cost{r.at.Sub(before.at), r.known && before.known, time.Duration(cpu * float64(time.Second)), r.own - before.own}
}

// starved tells that this program had too little of the machine. On a machine
// that it shares with the server, half of the processors are the server's.
func (s cost) starved() bool {
	mine := max(1, runtime.GOMAXPROCS(0)/2)
	return s.took > time.Second && s.ownCPU.Seconds() > busyPart*float64(mine)*s.took.Seconds()
}

// collect asks a Go server to collect its garbage, if it has the usual page
// for that; memory is a truer figure then.
func (p *probe) collect(ctx context.Context) {
	if p.url == "" {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.url, "/metrics")+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return
	}
	if resp, err := p.http.Do(req); err == nil {
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // nobody reads it
		resp.Body.Close()
	}
}
