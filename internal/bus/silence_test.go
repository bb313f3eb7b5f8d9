package bus_test

import (
	"testing"

	"rte/internal/bus"
)

// TestSilent: a member of a cluster finds out that most others have gone, and
// that they are back, also if it leads; a node alone is never cut off.
func TestSilent(t *testing.T) {
	t.Parallel()
	all := clusterOptions(t, 3)
	nodes := openCluster(t, all)
	last := nodes[0]
	for i, f := range nodes {
		if d := f.Silent(); d != 0 {
			t.Errorf("node %d of a whole cluster: silent for %v", i, d)
		}
	}
	nodes[1].close()
	nodes[2].close()
	eventually(t, "the last one notices", func() bool { return last.Silent() > 0 })
	if last.Ready() == nil || last.Stats().Silent == 0 {
		t.Error("a node that is cut off says that it is ready")
	}
	openCluster(t, all[1:])
	eventually(t, "the cluster is whole again", func() bool { return last.Silent() == 0 && last.Ready() == nil })

	alone := open(t, bus.Options{Dir: t.TempDir()})
	if d := alone.Silent(); d != 0 {
		t.Errorf("a node alone is silent for %v", d)
	}
}
