package sim

import (
	"container/heap"
	"time"
)

// A task is something that will happen at a simulated time.
type task struct {
	at time.Duration
	n  uint64 // order of planning: first planned, first done
	do func()
}

// An agenda holds the tasks to come, earliest first. It implements
// heap.Interface for its own use.
type agenda struct {
	tasks []task
	n     uint64
}

func (a *agenda) add(at time.Duration, do func()) {
	a.n++
	heap.Push(a, task{at, a.n, do})
}

// due takes the earliest task out if it is not after until.
func (a *agenda) due(until time.Duration) (task, bool) {
	if len(a.tasks) == 0 || a.tasks[0].at > until {
		return task{}, false
	}
	return heap.Pop(a).(task), true
}

func (a *agenda) Len() int      { return len(a.tasks) }
func (a *agenda) Swap(i, j int) { a.tasks[i], a.tasks[j] = a.tasks[j], a.tasks[i] }
func (a *agenda) Push(x any)    { a.tasks = append(a.tasks, x.(task)) }

func (a *agenda) Less(i, j int) bool {
	if a.tasks[i].at != a.tasks[j].at {
		return a.tasks[i].at < a.tasks[j].at
	}
	return a.tasks[i].n < a.tasks[j].n
}

func (a *agenda) Pop() any {
	last := len(a.tasks) - 1
	t := a.tasks[last]
	a.tasks[last] = task{} // let go of what the function holds
	a.tasks = a.tasks[:last]
	return t
}

// after plans a task; d is as the agenda counts it, not divided by the speed.
func (c *Centre) after(d time.Duration, do func()) { c.agenda.add(c.now+d, do) }

// scale turns a time of the centre's life into a time of the agenda.
func (c *Centre) scale(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/c.speed), time.Millisecond)
}

// between draws a time of the centre's life, evenly spread, scaled.
func (c *Centre) between(least, most time.Duration) time.Duration {
	return c.scale(least + time.Duration(c.rand.Float64()*float64(most-least)))
}

// about draws a time of the centre's life, scaled: at least least, often
// little more, sometimes a lot, as talks and breaks are. most bounds it.
func (c *Centre) about(least, mean, most time.Duration) time.Duration {
	return c.scale(min(least+time.Duration(c.rand.ExpFloat64()*float64(mean-least)), most))
}

// chance is true in p of 1 cases.
func (c *Centre) chance(p float64) bool { return c.rand.Float64() < p }
