package bus

import (
	"context"
	"errors"

	"rte/internal/event"
)

// mostSubjects is how many subjects a direct get with multi_last may match.
const mostSubjects = 1024

// newest reads the newest message of each subject of an organization that
// spoke behind a place in the stream, and gives them to take in portions, each
// in the order of the store; a subject that speaks meanwhile may come twice.
// It holds for everything up to the place returned, which is at least atLeast:
// a replica that is behind is asked again, until ctx ends. Errors wrap
// [event.ErrUnavailable].
//
// The server refuses a filter that matches more than 1,024 subjects, however
// few of them have spoken; many remembers that, and then they are asked for by
// name.
func (b *Bus) newest(ctx context.Context, s *stream, org event.GUID, after, atLeast uint64, many *bool, take func([]stored)) (upTo uint64, err error) {
	filter := s.orgFilter(org)
	if !*many {
		upTo, err = b.newestOf(ctx, s, org, []string{filter}, after, atLeast, take)
		if !errors.Is(err, errTooMany) && !errors.Is(err, errNothing) {
			return upTo, err
		}
		*many = errors.Is(err, errTooMany)
	}
	for n := 0; ; n++ {
		l, err := b.subjectsOf(ctx, s, filter)
		if err == nil && l.last >= atLeast {
			*many = len(l.subjects) > mostSubjects
			upTo, err = b.newestByName(ctx, s, org, l, after, atLeast, take)
			if !errors.Is(err, errNothing) {
				return upTo, err
			}
			err = nil // they have gone by age, or that replica is behind
		}
		if err := b.pause(ctx, n, err); err != nil {
			return 0, err
		}
	}
}

// newestByName is newest for the subjects that the leader names.
func (b *Bus) newestByName(ctx context.Context, s *stream, org event.GUID, l look, after, atLeast uint64, take func([]stored)) (upTo uint64, err error) {
	upTo = l.last // a subject that is not among them spoke behind it
	for names := l.subjects; len(names) > 0; {
		n := min(len(names), mostSubjects)
		place, err := b.newestOf(ctx, s, org, names[:n], after, atLeast, take)
		if err != nil {
			return 0, err
		}
		upTo = min(upTo, place)
		names = names[n:]
	}
	return upTo, nil
}

// errNothing: a replica knows no subject of a filter, which it may not yet;
// only the leader is believed.
var errNothing = errors.New("no such subject")

// newestOf is newest for filters that match few enough; else its error is
// errTooMany, and errNothing if that replica knows none of them.
func (b *Bus) newestOf(ctx context.Context, s *stream, org event.GUID, filters []string, after, atLeast uint64, take func([]stored)) (upTo uint64, err error) {
	first := true
	for n := 0; ; n++ {
		got, err := b.getter.get(ctx, s, getRequest{MultiLast: filters, Seq: after + 1, MaxBytes: batchBytes}, n)
		switch {
		case errors.Is(err, errTooMany):
			return 0, err
		case err == nil && got.upTo >= atLeast && got.upTo > 0:
			if first || got.upTo < upTo {
				upTo, first = got.upTo, false
			}
			list, last := b.readAll(s, org, got.messages)
			take(list)
			if !got.more || last == 0 {
				return upTo, nil
			}
			after, n = last, -1
			continue
		case err == nil && got.upTo == 0:
			return 0, errNothing
		}
		if err := b.pause(ctx, n, err); err != nil {
			return 0, err
		}
	}
}
