package client

import (
	"context"
	"sync"

	"rte/signalr"
)

// An Upload is a stream of items to a hub method: among the arguments of
// [Client.Invoke], [Client.Send] or [Client.Stream] it stands for the method's
// next stream parameter. It is called once, on a goroutine of its own, gives
// each item to send and returns when there are no more; the text of its error
// is what the method is told.
//
// send waits as long as the connection does. Its error means that no more
// items are wanted: the hub has answered the call, ctx has ended or the
// connection is lost. ctx ends then, too, and Upload must return: the call
// waits for it.
type Upload func(ctx context.Context, send func(item any) error) error

// upload is an Upload under way.
type upload struct {
	id  string
	run Upload
}

// upload runs uploads beside a call; stop ends them.
func (s *conn) upload(ctx context.Context, uploads []upload) (stop func()) {
	if len(uploads) == 0 {
		return func() {}
	}
	ctx, cancel := whileBoth(ctx, s.life)
	var running sync.WaitGroup
	for _, u := range uploads {
		running.Go(func() { s.uploadOne(ctx, u) }) //nolint:errcheck // the hub is told
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// uploadAll runs uploads to their ends; the error is the first upload's that
// failed.
func (s *conn) uploadAll(ctx context.Context, uploads []upload) error {
	ctx, cancel := whileBoth(ctx, s.life)
	defer cancel()
	errs := make([]error, len(uploads))
	var running sync.WaitGroup
	for i, u := range uploads {
		running.Go(func() { errs[i] = s.uploadOne(ctx, u) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *conn) uploadOne(ctx context.Context, u upload) error {
	err := u.run(ctx, func(item any) error {
		return s.send(ctx, &signalr.StreamItem{ID: u.id, Item: value(item)})
	})
	end := &signalr.Completion{ID: u.id}
	if err != nil {
		end.Error = wireText(err)
	}
	if s.send(ctx, end) != nil { // nobody waits for it any more, but the hub
		s.sendLater(end)
	}
	return err
}
