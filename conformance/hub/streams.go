package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"rte/signalr"
	"rte/signalr/hub"
)

type sender = func(signalr.Value) error

// streams are those of every site.
func (s *site) streams() map[string]hub.Stream {
	return map[string]hub.Stream{
		"Counter": counter,
		"Endless": s.endless,
		"Mirror":  mirror,
		"Ticks":   ticks,
		"Closed":  func(context.Context, *hub.Call, sender) error { return hub.ErrUnauthorized },
		"Breaks":  breaking(func(text string) error { return errors.New(text) }),
		"BreaksOpen": breaking(func(text string) error {
			return &hub.Error{Text: text}
		}),
	}
}

// counter sends numbers at a pace; none is an empty stream.
func counter(ctx context.Context, c *hub.Call, send sender) error {
	var n, ms int
	if err := c.Bind(&n, &ms); err != nil {
		return err
	}
	for i := range n {
		if err := pause(ctx, ms); err != nil {
			return err
		}
		if err := send(signalr.Any(i)); err != nil {
			return err
		}
	}
	return nil
}

// ticks is a stream without items that pushes numbered messages at a pace
// meanwhile.
func ticks(ctx context.Context, c *hub.Call, _ sender) error {
	var n, ms int
	if err := c.Bind(&n, &ms); err != nil {
		return err
	}
	for i := range n {
		if err := pause(ctx, ms); err != nil {
			return err
		}
		c.Conn.Send(message("Message", signalr.Any(i)))
	}
	return nil
}

// endless sends numbers until nobody wants them any more.
func (s *site) endless(ctx context.Context, c *hub.Call, send sender) error {
	if err := c.Bind(); err != nil {
		return err
	}
	var err error
	for i := 0; err == nil; i++ {
		if err = send(signalr.Any(i)); err == nil {
			err = pause(ctx, 5)
		}
	}
	s.diary.write(entry{Site: s.path, ID: c.Conn.ID(), What: "Endless"})
	return err
}

// breaking fails behind some items, null ones, with the text that is given.
func breaking(fail func(text string) error) hub.Stream {
	return func(_ context.Context, c *hub.Call, send sender) error {
		var n int
		var text string
		if err := c.Bind(&n, &text); err != nil {
			return err
		}
		for range n {
			if err := send(nil); err != nil {
				return err
			}
		}
		return fail(text)
	}
}

// mirror sends every item of the client's back.
func mirror(ctx context.Context, c *hub.Call, send sender) error {
	if err := c.Bind(); err != nil {
		return err
	}
	for {
		v, err := c.Uploads[0].Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(v); err != nil {
			return err
		}
	}
}

// joined is all texts of an upload.
func joined(ctx context.Context, u *hub.Upload) (string, error) {
	var all strings.Builder
	for {
		v, err := u.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all.String(), nil
		}
		if err != nil {
			return "", err
		}
		var text string
		if signalr.Decode(v, &text) != nil {
			return "", hub.BadArguments()
		}
		all.WriteString(text)
	}
}

// concat joins the texts of an upload behind its argument.
func concat(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	var first string
	if err := c.Bind(&first); err != nil {
		return nil, err
	}
	all, err := joined(ctx, c.Uploads[0])
	return signalr.Any(first + all), err
}

// weave takes two uploads at once.
func weave(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	// Microsoft's JavaScript clients overlook an upload that follows another at
	// once, so they need something in between.
	var between string
	if err := c.Bind(&between); err != nil {
		return nil, err
	}
	one, err := joined(ctx, c.Uploads[0])
	if err != nil {
		return nil, err
	}
	two, err := joined(ctx, c.Uploads[1])
	return signalr.Any([]string{one, two}), err
}

// slow takes an item of an upload every few milliseconds, tells the client of
// each, and counts them.
func (s *site) slow(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	var ms int
	if err := c.Bind(&ms); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		_, err := c.Uploads[0].Next(ctx)
		if errors.Is(err, io.EOF) {
			return signalr.Any(n), nil
		}
		if err == nil {
			c.Conn.Send(message("Message", signalr.Any(n)))
			err = pause(ctx, ms)
		}
		if err != nil {
			s.diary.write(entry{Site: s.path, ID: c.Conn.ID(), What: "Slow", Error: text(err)})
			return nil, err
		}
	}
}
