package client

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
)

// dialWebSocket asks for a WebSocket (RFC 6455, 4.1).
func dialWebSocket(ctx context.Context, q requests) (link, error) {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails (crypto/rand)
	key := base64.StdEncoding.EncodeToString(nonce[:])
	resp, err := q.do(ctx, "connect", http.MethodGet, nil, http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {key},
	}, http.StatusSwitchingProtocols)
	if err != nil {
		return nil, err
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	switch {
	case !ok:
		err = errors.New("connect: the HTTP client cannot switch protocols")
	case resp.Header.Get("Sec-WebSocket-Accept") != acceptKey(key):
		err = errors.New("connect: the answer is not a WebSocket's")
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return newWebSocket(conn, q.binary), nil
}

// acceptKey proves that the answer is to this request (RFC 6455, 1.3).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
