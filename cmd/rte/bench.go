package main

// benchCmd is the load generator and the checker.
type benchCmd struct {
	Verify benchVerifyCmd `cmd:"" help:"Check that nothing is lost, doubled or out of order while you break things."`
}
