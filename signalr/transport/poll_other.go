//go:build !linux

package transport

// Elsewhere each WebSocket is read by a goroutine of its own.
type (
	pollers struct{}
	watch   struct{}
)

func (p *pollers) watch(*webSocket) bool { return false }
func (p *pollers) none()                 {}
func (p *pollers) close()                {}

func (w *watch) arm(*webSocket) error { return nil }
func (w *watch) end()                 {}
