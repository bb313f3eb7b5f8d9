package client

import (
	"bufio"
	"io"
)

// ParseNegotiation is what the client takes from an answer.
func ParseNegotiation(body []byte, stateful bool) (redirect, id, token string, err error) {
	n, err := parseNegotiation(body, stateful)
	return n.URL, n.ID, n.Token, err
}

// ReadEvents gives the data of each event to fn, until the end.
func ReadEvents(r io.Reader, most int, fn func(data []byte)) error {
	e := events{in: bufio.NewReader(r), most: most}
	for {
		data, err := e.next()
		if err != nil {
			return err
		}
		fn(data)
	}
}

// ReadFrames gives the data of a WebSocket's frames to fn, until the end.
func ReadFrames(conn io.ReadWriteCloser, fn func(data []byte)) error {
	w := newWebSocket(conn, false)
	for {
		data, err := w.read()
		fn(data)
		if err != nil {
			return err
		}
	}
}

// A Replay is one side of stateful reconnect.
type Replay struct{ r *replay }

func NewReplay(max int) Replay              { return Replay{newReplay(max)} }
func (r Replay) Full() bool                 { return r.r.full() }
func (r Replay) Bytes() int                 { return r.r.bytes }
func (r Replay) Add(b []byte)               { r.r.add(b) }
func (r Replay) Acked(id int64)             { r.r.acked(id) }
func (r Replay) Again() (int64, [][]byte)   { return r.r.again() }
func (r Replay) Begin(first int64) bool     { return r.r.begin(first) }
func (r Replay) Came() bool                 { return r.r.came() }
func (r Replay) Ack() (id int64, owed bool) { return r.r.ack() }
