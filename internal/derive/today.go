package derive

import (
	"time"

	"rte/internal/event"
)

// Today is a queue's day as it is shown. Times are in seconds, with thousandths;
// what nothing can be said of is null.
type Today struct {
	QueueID           event.GUID `json:"queueId"`
	QueueName         string     `json:"queueName,omitempty"`
	Day               string     `json:"day"`
	Offered           int        `json:"offered"`
	Answered          int        `json:"answered"`
	Abandoned         int        `json:"abandoned"`
	Ended             int        `json:"ended"`
	Overflowed        int        `json:"overflowed"`
	Waiting           int        `json:"waiting"`
	ServiceLevel      *float64   `json:"serviceLevel"`
	Threshold         float64    `json:"threshold"`
	AverageAnswerTime *float64   `json:"averageAnswerTime"`
	LongestWait       float64    `json:"longestWait"`
}

// At are the figures as they are shown at a moment: zeros when the day they are
// of has passed. LongestWait counts the calls that wait. ServiceLevel is the
// share, 0 to 1, of the answered and abandoned calls that were answered within
// the threshold; calls abandoned within it do not count.
func (f *Figures) At(now time.Time, zone *time.Location, threshold time.Duration) Today {
	today := dayOf(now, zone)
	t := Today{
		QueueID: f.QueueID, QueueName: f.QueueName, Threshold: threshold.Seconds(),
		Day: time.Unix(today*24*60*60, 0).UTC().Format(time.DateOnly),
	}
	if f.Day != t.Day {
		return t
	}
	t.Offered, t.Answered, t.Abandoned, t.Ended, t.Overflowed = f.Offered, f.Answered, f.Abandoned, f.Ended, f.Overflowed
	longest := f.LongestWait
	for _, c := range f.Waiting {
		if dayOf(c.Since, zone) == today {
			t.Waiting++
			longest = max(longest, now.Sub(c.Since).Milliseconds())
		}
	}
	t.LongestWait = float64(longest) / 1000
	if f.Answered > 0 {
		average := float64(f.AnswerTime/int64(f.Answered)) / 1000
		t.AverageAnswerTime = &average
	}
	if judged := f.Answered + f.Abandoned - f.AbandonedSoon; judged > 0 {
		level := float64(f.AnsweredSoon) / float64(judged)
		t.ServiceLevel = &level
	}
	return t
}
