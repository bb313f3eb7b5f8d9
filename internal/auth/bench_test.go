package auth_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"rte/internal/auth"
	"rte/internal/event"
)

// everyday is a user's token as issuers make them.
func everyday(queues int) object {
	ids := make([]event.GUID, queues)
	for i := range ids {
		ids[i] = event.GUID{0: 0xcb, 14: byte(i >> 8), 15: byte(i)}
	}
	return object{
		"iss": "platform.example", "aud": "rte", "role": "user", "queues": ids,
		"iat": clock().Unix(), "nbf": clock().Unix(), "jti": "0b6a3bd2-9e5e-4d9d-a1d3-7b6a0a9f1a11",
	}
}

// BenchmarkVerify is the cost of one check; a client that negotiates has two.
func BenchmarkVerify(b *testing.B) {
	for _, queues := range []int{0, 5, 200} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			v := verifier(b, strict())
			text := token(b, everyday(queues))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("wrong-key", func(b *testing.B) {
		v := verifier(b, strict())
		text := tokenBy(b, foreignSecret, everyday(5))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), text); err == nil {
				b.Fatal("accepted")
			}
		}
	})
	// What the reader of the claims in this package is measured against.
	b.Run("golang-jwt-map/queues=5", func(b *testing.B) {
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(clock))
		text := token(b, everyday(5))
		key := func(*jwt.Token) (any, error) { return []byte(userSecret), nil }
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.Parse(text, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMay(b *testing.B) {
	typ, _ := event.NewCatalog().Lookup("QueueStatus")
	for _, queues := range []int{5, 1000} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			p, err := verifier(b, strict()).Verify(b.Context(), token(b, everyday(queues)))
			if err != nil {
				b.Fatal(err)
			}
			entity := p.Queues.IDs()[queues/3]
			b.ReportAllocs()
			for b.Loop() {
				if !p.May(typ, entity) {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkPrincipal is the memory that a connection holds for its rights.
func BenchmarkPrincipal(b *testing.B) {
	for _, queues := range []int{0, 5, 50} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			v := verifier(b, strict())
			text := token(b, everyday(queues))
			for b.Loop() {
				held := make([]*auth.Principal, 2000)
				before := heap()
				for i := range held {
					p, err := v.Verify(b.Context(), text)
					if err != nil {
						b.Fatal(err)
					}
					held[i] = p
				}
				b.ReportMetric(float64(heap()-before)/float64(len(held)), "B/principal")
				runtime.KeepAlive(held)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
