package signalr_test

import (
	"testing"

	"rte/signalr"
)

const (
	benchCall = `{"arguments":[[{"EntityId":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3","EventName":"UserAvailability"}]],"invocationId":"12","target":"Subscribe","type":1}`
	benchPush = `{"type":1,"target":"MessageReceived","arguments":[{"subscription":{"entityId":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3","eventName":"userstatus"},"data":{"activeQueues":3,"available":true,"canBeAllocatedTo":true,"organizationId":"7e3a","parkedCalls":0,"schedule":true,"serving":true,"servingCallback":false,"serviceTerminals":1,"talking":false,"userId":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3","userName":"a@example.com","wrapUpEnd":null},"cursor":"s1.0.42","time":"2026-11-22T08:00:00.000Z"}]}`
)

func BenchmarkJSONParse(b *testing.B) {
	for name, text := range map[string]string{"invocation": benchCall, "push": benchPush, "ping": `{"type":6}`} {
		b.Run(name, func(b *testing.B) {
			record := []byte(text)
			b.ReportAllocs()
			b.SetBytes(int64(len(record)))
			for b.Loop() {
				if _, err := (signalr.JSON{}).Parse(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJSONAppend(b *testing.B) {
	for name, text := range map[string]string{"invocation": benchCall, "push": benchPush, "completion": `{"type":3,"invocationId":"12","result":[{"subscribed":true}]}`} {
		b.Run(name, func(b *testing.B) {
			m, err := signalr.JSON{}.Parse([]byte(text))
			if err != nil {
				b.Fatal(err)
			}
			var buf []byte
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if buf, err = (signalr.JSON{}).Append(buf[:0], m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What every receiver of a broadcast pays for the encoding.
func BenchmarkFrameBytes(b *testing.B) {
	f := signalr.NewFrame(&signalr.Invocation{Target: "MessageReceived", Arguments: []signalr.Value{signalr.Any(1)}})
	var p signalr.Protocol = signalr.JSON{}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := f.Bytes(p); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	piece := []byte(benchCall + "\x1e" + `{"type":6}` + "\x1e" + benchPush + "\x1e")
	for name, cut := range map[string]int{"whole": len(piece), "cut": len(piece) / 2} {
		b.Run(name, func(b *testing.B) {
			r := &signalr.Reader{}
			nothing := func([]byte) error { return nil }
			b.ReportAllocs()
			b.SetBytes(int64(len(piece)))
			for b.Loop() {
				if r.Feed(signalr.JSON{}, 32<<10, piece[:cut], nothing) != nil || r.Feed(signalr.JSON{}, 32<<10, piece[cut:], nothing) != nil {
					b.Fatal("feed failed")
				}
			}
		})
	}
}
