package bus_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childFolder names the data folder in the environment of a child process:
// the test binary runs itself to be killed.
const childFolder = "BUS_TEST_CHILD_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		childMain(dir)
		return
	}
	if what := os.Getenv(childServer); what != "" {
		natsMain(what)
		return
	}
	if what := os.Getenv(childOwner); what != "" {
		ownerMain(what)
		return
	}
	goleak.VerifyTestMain(m)
}
