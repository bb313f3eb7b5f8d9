package bus_test

import (
	"testing"
	"time"

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

// TestFirstWaits: what a node needs to begin is there when the cluster has
// found a leader again, however long that takes within reason.
func TestFirstWaits(t *testing.T) {
	t.Parallel()
	all := clusterOptions(t, 3)
	nodes := openCluster(t, all)
	kv, err := bus.OpenKV[string](t.Context(), nodes[0].Bus, "first")
	if err != nil {
		t.Fatal(err)
	}
	nodes[1].close()
	nodes[2].close()
	eventually(t, "most have gone", func() bool { return nodes[0].Silent() > 0 })
	type answer struct {
		value string
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		v, err := kv.First(t.Context(), "key", "value")
		got <- answer{v, err}
	}()
	eventually(t, "the store is silent for longer than one operation may take", func() bool { return nodes[0].Silent() > 6*time.Second })
	openCluster(t, all[1:])
	if a := <-got; a.value != "value" || a.err != nil {
		t.Errorf("got %+v", a)
	}
}
