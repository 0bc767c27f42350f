package rollout

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func to(revision string, percent int, tag string) Target {
	return Target{Type: ToRevision, Revision: revision, Percent: percent, Tag: tag}
}

func percentOf(traffic []Target, revision string) int {
	shares, _ := merge(traffic)
	return shares[revision]
}

func total(traffic []Target) int {
	sum := 0
	for _, t := range traffic {
		sum += t.Percent
	}
	return sum
}

func TestShift(t *testing.T) {
	for _, tt := range []struct {
		name     string
		now      []Target
		percent  int
		fallback string
		want     []Target
	}{
		{"first step", []Target{to("old", 100, ""), to("new", 0, "candidate")}, 5, "old",
			[]Target{to("old", 95, ""), to("new", 5, "candidate")}},
		{"promote", []Target{to("old", 50, ""), to("new", 50, "candidate")}, 100, "old",
			[]Target{to("new", 100, "candidate")}},
		{"tags stay", []Target{to("old", 50, "blue"), to("new", 50, "candidate"), to("older", 0, "green")}, 100, "old",
			[]Target{to("old", 0, "blue"), to("new", 100, "candidate"), to("older", 0, "green")}},
		{"roll back", []Target{to("old", 50, ""), to("new", 50, "candidate")}, 0, "old",
			[]Target{to("old", 100, ""), to("new", 0, "candidate")}},
		{"roll back after the promotion", []Target{to("new", 100, "candidate")}, 0, "old",
			[]Target{to("new", 0, "candidate"), to("old", 100, "")}},
		{"nothing to fall back to", []Target{to("new", 100, "")}, 5, "", []Target{to("new", 100, "")}},
		{"proportions stay, largest remainder", []Target{to("a", 1, ""), to("b", 1, ""), to("c", 1, ""), to("new", 97, "")}, 50, "a",
			[]Target{to("a", 17, ""), to("b", 17, ""), to("c", 16, ""), to("new", 50, "")}},
		{"one revision in two targets", []Target{to("old", 60, ""), to("old", 40, "t"), to("new", 0, "candidate")}, 25, "old",
			[]Target{to("old", 75, "t"), to("new", 25, "candidate")}},
		{"two tags on one revision", []Target{to("old", 100, "a"), to("old", 0, "b")}, 10, "old",
			[]Target{to("old", 90, "a"), to("old", 0, "b"), to("new", 10, "")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Shift(tt.now, "new", tt.percent, tt.fallback)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShiftSums(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		var now []Target
		for range random.IntN(6) {
			now = append(now, to("r"+strconv.Itoa(random.IntN(4)), random.IntN(101), []string{"", "", "t"}[random.IntN(3)]))
		}
		want := random.IntN(101)
		got := Shift(now, "r0", want, []string{"", "r0", "r9"}[random.IntN(3)])
		if total(got) != 100 {
			t.Fatalf("%v to %d%% sums to %d: %v", now, want, total(got), got)
		}
		for _, target := range got {
			if target.Percent < 0 || target.Revision == "" || target.Percent == 0 && target.Tag == "" {
				t.Fatalf("target %+v of %v", target, got)
			}
		}
		if share := percentOf(got, "r0"); share != want && share != 100 {
			t.Fatalf("the revision has %d%%, want %d%%", share, want)
		}
	}
}
