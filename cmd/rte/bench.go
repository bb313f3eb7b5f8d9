package main

// benchCmd is the load generator and the checker.
type benchCmd struct {
	Connect benchConnectCmd `cmd:"" help:"Measure a storm: clients that connect, authenticate and subscribe."`
	Idle    benchIdleCmd    `cmd:"" help:"Measure what clients cost that hear nothing."`
	Fanout  benchFanoutCmd  `cmd:"" help:"Measure events that everybody hears."`
	Sparse  benchSparseCmd  `cmd:"" help:"Measure events that few of many clients hear."`
	Ingest  benchIngestCmd  `cmd:"" help:"Measure how fast events are stored."`
	Resume  benchResumeCmd  `cmd:"" help:"Measure how soon clients are current that come back all at once."`
	Poll    benchPollCmd    `cmd:"" help:"Measure what clients would cost that ask instead of being told."`
	Verify  benchVerifyCmd  `cmd:"" help:"Check that nothing is lost, doubled or out of order while you break things."`
}

// Help is the long text of `rte bench --help` (kong.HelpProvider).
func (*benchCmd) Help() string {
	return `The load comes from this process, the node is another: with --own-node it is started for the run, else name yours.

	rte bench fanout --own-node --connections 5000 --rate 10
	rte bench sparse --url https://staging… --token "$(rte token --role service …)" --admin-url http://…:8081

Read the figures as ratios, and compare only those of one machine and one hour. CPU and memory are the node's (with --admin-url); on loopback the receiving half of the network is in them.`
}
