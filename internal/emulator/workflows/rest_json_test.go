package workflows

import (
	"encoding/json"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestTimestamp: times look as protobuf writes them.
func TestTimestamp(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 20, 30, 0, time.FixedZone("", 3600))
	for _, nanos := range []time.Duration{0, 1, 10, 1000, 123000, 1000000, 120000000, 123456789, 100000000, 64464040} {
		got, err := json.Marshal(timestamp{at.Add(nanos)})
		if err != nil {
			t.Fatal(err)
		}
		want, err := protojson.Marshal(timestamppb.New(at.Add(nanos)))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%d ns: %s, want %s", nanos, got, want)
		}
	}
}
