package ops

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// prefix is in front of every metric's name.
const prefix = "rte_"

// A Figure is one number with its name and, for some, a label.
type Figure struct {
	Name   string // without the prefix; "_total" at the end makes it a counter
	Help   string
	Labels []Label // the same names, in the same order, for all figures of one name
	Value  float64
}

// A Label tells figures of one name apart.
type Label struct{ Name, Value string }

// newRegistry makes the set of metrics: the process's own and the node's.
func newRegistry(figures func(add func(Figure))) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if figures != nil {
		r.MustRegister(collector{figures})
	}
	return r
}

// collector asks the rooms when somebody looks: figures cost nothing until
// then.
type collector struct{ figures func(add func(Figure)) }

// Describe says nothing in advance: which figures there are is the rooms'
// matter (prometheus.Collector, "unchecked").
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect turns figures into metrics.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	c.figures(func(f Figure) {
		kind := prometheus.GaugeValue
		const total = "_total"
		if n := len(f.Name) - len(total); n > 0 && f.Name[n:] == total {
			kind = prometheus.CounterValue
		}
		var labels, texts []string
		for _, l := range f.Labels {
			labels, texts = append(labels, l.Name), append(texts, l.Value)
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(prefix+f.Name, f.Help, labels, nil), kind, f.Value, texts...)
	})
}
